"""Speech made louder without a crackle: a gain with a soft limiter behind it. Pure.

Voices leave the engines at a peak of about 0.8, so that there is no room above: what is loud already is bent, what is
soft grows by the whole gain. The curve has no memory, so sound may be cut anywhere.
"""

from __future__ import annotations

import numpy as np

from gpu_node.engines import Samples

MAX_GAIN = 2.5
"""8 dB: beyond it most of a vowel is bent, and it sounds harsh rather than loud."""
KNEE = 0.6
"""Below it the gain is whole."""
CEILING = 0.98
"""What nothing exceeds, however loud it came in."""


def louder(samples: Samples, gain: float) -> Samples:
    """`samples` made `gain` (1.0 to 2.5, clamped) times as loud; with 1.0 they are handed through as they are.

    Monotone and odd. Straight up to the knee, then a hyperbolic tangent that joins it with the same slope.
    """
    if not gain > 1.0:
        return samples
    raised = samples * np.float32(min(gain, MAX_GAIN))
    size = np.abs(raised)
    room = CEILING - KNEE
    bent = KNEE + room * np.tanh((size - KNEE) / room)
    return np.where(size <= KNEE, raised, np.copysign(bent, raised)).astype(np.float32)
