"""Doubles for tests: a chat model that replays replies, and a server with latency and faults.

Nothing here reaches beyond this machine.
"""

from .chat_model import ScriptedChatModel
from .server import LatencyServer
from .wire import ServedCall, ServerReply

__all__ = ["LatencyServer", "ScriptedChatModel", "ServedCall", "ServerReply"]
