"""`python -m gpu_node.xtts SOCKET`: the voice process. Started by `gpu_node.xtts.keeper`, by nobody else."""

from __future__ import annotations

import os
import sys

from gpu_node.errors import WeightsMissing
from gpu_node.xtts import frames
from gpu_node.xtts.server import Speaker, serve


def load(prepare: frames.Prepare) -> Speaker:
    # Everything is in the model's folder. Libraries that would ask a hub for what they miss are told not to.
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    try:
        from gpu_node.xtts.model import XttsModel
    except ImportError as error:
        raise WeightsMissing(
            f"XTTS cannot be loaded by {sys.executable}: {error}. To mend it: run the node from .venv-gpu, which "
            "`make test-gpu` builds."
        ) from error
    return XttsModel(prepare)


if __name__ == "__main__":
    sys.exit(serve(load))
