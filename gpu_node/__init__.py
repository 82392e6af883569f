"""The node: claims turns from the bus, transcribes, answers and speaks."""
