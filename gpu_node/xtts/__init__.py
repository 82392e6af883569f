"""XTTS v2 in a process of its own, so that torch's memory, its lock and its crashes are not the node's.

    node                                              process (`python -m gpu_node.xtts`)
      engines/xtts  text to pieces   --- Speak --->     server   one utterance after another
      keeper        starts, watches  <-- Chunk ----     model    Xtts.inference_stream
                                                        voices   latents of each voice
                                         frames: what passes between them

The process ends when its end of the socket pair says so: on `close`, and likewise when the node was killed. Only
`model` and `voices` import torch, and only inside that process.
"""
