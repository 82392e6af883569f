from gpu_node.engines import ReplyRequest


def reply(request: ReplyRequest) -> str:
    return ""
