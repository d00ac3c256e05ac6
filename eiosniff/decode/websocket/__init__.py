"""WebSocket frames and messages."""
