"""A POP3 client of bare sockets, for what no well-behaved client does.

Owns one connection. It sends exactly the bytes it is given and never repairs an answer.
"""

import socket
import ssl
import struct

from base import HOST, Failure, check


class Pop:
    def __init__(self, port, tls=None, timeout=30.0, receive_buffer=None, source=None, host=HOST):
        self.socket = socket.socket()
        if source:
            self.socket.bind((source, 0))
        if receive_buffer:
            # a small window, so that a client that does not read is felt at once
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.buffer = b""
        if tls is not None:
            self.wrap(tls)

    def wrap(self, ca):
        """TLS from here on; what is in the buffer came in the clear and must be nothing."""
        check(not self.buffer, lambda: f"bytes in the clear before TLS: {self.buffer[:80]!r}")
        context = ssl.create_default_context(cafile=str(ca))
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """Some bytes; none at the end. A reset counts as the end."""
        try:
            return self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return b""
        except TimeoutError as error:
            raise Failure(f"the server is silent; so far {self.buffer[-200:]!r}") from error

    def line(self):
        """One line with its end; what there is at the end of the connection."""
        while b"\n" not in self.buffer:
            more = self.receive()
            if not more:
                line, self.buffer = self.buffer, b""
                return line
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def exactly(self, size):
        parts, have = [self.buffer], len(self.buffer)
        while have < size:
            more = self.receive()
            check(more, lambda: f"the connection ended after {have} of {size} octets")
            parts.append(more)
            have += len(more)
        whole = b"".join(parts)
        self.buffer = whole[size:]
        return whole[:size]

    def to_end(self):
        """Everything until the server closes."""
        parts = [self.buffer]
        self.buffer = b""
        while more := self.receive():
            parts.append(more)
        return b"".join(parts)

    def body(self):
        """A multi-line answer after its first line, as sent (stuffed), with the final dot."""
        whole = bytearray(self.buffer)
        searched = 0
        while True:
            # an answer without a line is the dot alone
            if whole.startswith(b".\r\n"):
                end = 3
                break
            at = whole.find(b"\r\n.\r\n", searched)
            if at >= 0:
                end = at + 5
                break
            searched = max(0, len(whole) - 4)
            more = self.receive()
            check(more, lambda: f"the connection ended within an answer: {bytes(whole[-80:])!r}")
            whole += more
        self.buffer = bytes(whole[end:])
        return bytes(whole[:end])

    def command(self, text):
        self.send(text.encode() + b"\r\n")
        return self.line()

    def ok(self, text):
        answer = self.command(text)
        check(answer.startswith(b"+OK"), lambda: f"{text.split()[0]}: {answer!r}")
        return answer

    def refused(self, text, code=b""):
        answer = self.command(text)
        check(answer.startswith(b"-ERR " + code) or (not code and answer.startswith(b"-ERR")), f"{text}: {answer!r}")
        return answer

    def multi(self, text):
        """First line and the lines after it, unstuffed."""
        first = self.ok(text)
        body = self.body()[:-3]
        lines = body.split(b"\r\n")[:-1]
        return first, [line[1:] if line.startswith(b".") else line for line in lines]

    def greeting(self):
        line = self.line()
        check(line.startswith(b"+OK"), lambda: f"greeting {line!r}")
        return line

    def login(self, user, password):
        self.greeting()
        self.ok(f"USER {user}")
        return self.ok(f"PASS {password}")

    def closed(self):
        """True if the server has nothing more to say and closes."""
        return self.to_end() == b""

    def close(self):
        self.socket.close()

    def reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stuffed(body):
    """What stands on the wire for this mail (CRLF line ends): every line with a leading dot gets another."""
    if body.startswith(b"."):
        body = b"." + body
    return body.replace(b"\r\n.", b"\r\n..") + b".\r\n"
