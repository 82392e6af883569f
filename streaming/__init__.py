"""What the gateway and the GPU node share: messages, wire protocol, audio, turn-taking, and the bus."""
