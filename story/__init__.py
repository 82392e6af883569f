"""The whole of what SilverTalk is for, told once from end to end: `make story`.

Three photos are uploaded, 복실이 speaks first, four turns are said from recordings, what was told becomes memories
and a film, and the film is looked at and listened to. See `story.telling` for the telling,
`story.checking` for the looking.
"""
