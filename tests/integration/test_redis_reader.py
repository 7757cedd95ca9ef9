"""The reader that shares the library's connections, against servers that misbehave."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
import redis

from bellwether.links.redis import Reader, RedisLink

HELLO = b"%1\r\n$5\r\nproto\r\n:3\r\n"
ANSWER = b"*2\r\n$3\r\none\r\n_\r\n"
KEYS = [b"a", b"b"]
Values = list[bytes | None]
Pieces = Iterator[bytes | None]
Act = Callable[[Reader], Awaitable[None]]
Way = Callable[[Reader], Awaitable[Values]]


def played(pieces: Pieces, act: Act) -> int:
    """Let `act` read from a server that answers one piece a question; None hangs up.

    Returns how many connections were made.
    """
    made: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(writer)
        with suppress(ConnectionError):
            while asked := await reader.read(65_536):
                piece = HELLO if b"HELLO" in asked else next(pieces)
                if piece is None:
                    break
                for i in range(len(piece)):
                    writer.write(piece[i : i + 1])
                    await writer.drain()
            writer.close()
            await writer.wait_closed()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader = RedisLink(f"redis://127.0.0.1:{port}").reader()
        await act(reader)
        await reader.close()
        server.close()
        for writer in made:
            with suppress(ConnectionError):
                await writer.wait_closed()

    asyncio.run(run())
    return len(made)


async def ask(reader: Reader, wait_s: float = 5.0) -> Values:
    """Ask as a lane does."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Values] = loop.create_future()
    if reader.start(KEYS, loop.time() + wait_s, answer.set_result, answer.set_exception):
        with suppress(redis.ConnectionError):
            return await answer
    return await ask_with_care(reader, wait_s)


async def ask_with_care(reader: Reader, wait_s: float = 5.0) -> Values:
    """Ask as a lane does that has been told an error."""
    found: list[Values] = []
    await reader.mget(KEYS, asyncio.get_running_loop().time() + wait_s, found.append)
    return found[0]


def test_an_answer_in_pieces_is_put_together() -> None:
    async def act(reader: Reader) -> None:
        for _ in range(3):
            assert await ask(reader) == [b"one", None]

    assert played(iter([ANSWER] * 3), act) == 1


@pytest.mark.parametrize("way", [ask, ask_with_care])
def test_a_connection_that_is_cut_while_asked_is_replaced_once(way: Way) -> None:
    async def act(reader: Reader) -> None:
        for _ in range(2):
            assert await way(reader) == [b"one", None]
        with pytest.raises(redis.ConnectionError):
            await way(reader)
        assert await way(reader) == [b"one", None]

    assert played(iter([ANSWER, None, ANSWER, None, None, ANSWER]), act) == 4


def test_an_answer_that_is_no_answer_ends_the_connection() -> None:
    async def act(reader: Reader) -> None:
        for _ in range(2):
            with pytest.raises(redis.InvalidResponse):
                await ask(reader)
            assert await ask(reader) == [b"one", None]

    assert played(iter([b"HTTP/1.1 400 Bad Request\r\n", ANSWER] * 2), act) == 3


def test_a_refusal_is_raised_and_the_connection_goes_on() -> None:
    async def act(reader: Reader) -> None:
        for _ in range(2):
            with pytest.raises(redis.exceptions.NoPermissionError):
                await ask(reader)
            assert await ask(reader) == [b"one", None]

    assert played(iter([b"-NOPERM you may not\r\n", ANSWER] * 2), act) == 1


def test_an_answer_cut_short_is_waited_for_until_the_deadline() -> None:
    async def act(reader: Reader) -> None:
        for _ in range(2):
            with pytest.raises(redis.TimeoutError):
                await ask(reader, 0.1)
            assert await ask(reader) == [b"one", None]

    assert played(iter([ANSWER[:-2], ANSWER] * 2), act) == 3


def test_a_deadline_that_passes_after_the_answer_harms_nothing() -> None:
    async def act(reader: Reader) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            assert await ask(reader, 0.05) == [b"one", None]
            over = asyncio.Event()
            loop.call_later(0.06, over.set)
            await over.wait()

    assert played(iter([ANSWER] * 3), act) == 1


def test_a_question_that_is_dropped_is_not_answered_by_the_next_answer() -> None:
    out = asyncio.Event()

    async def act(reader: Reader) -> None:
        question = asyncio.create_task(ask(reader))
        await out.wait()
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        assert await ask(reader) == [b"one", None]

    def pieces() -> Pieces:
        out.set()
        yield b""
        yield ANSWER

    assert played(pieces(), act) == 2
