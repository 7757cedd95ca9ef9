"""Answer the predictions that were asked for and not waited for.

A request carries the id its prediction will have, so that answering it twice, after a crash
between the write and the receipt, is noticed by the primary key and changes nothing.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec

from bellwether.core.errors import BellwetherError, StorageError
from bellwether.core.ports import Ports, RequestQueue
from bellwether.core.types import PredictionRequest, QueuedRequest
from bellwether.inference.service import PredictionService
from bellwether.telemetry import REQUEST_WORK_SECONDS, REQUESTS_WORKED, get_logger

BATCH = 64
WAIT_S = 1.0
RETRY_S = 0.25

_decode = msgspec.json.Decoder(PredictionRequest).decode


class Worker:
    """Takes requests off the queue and answers them, many at a time, until told to stop.

    What cannot be answered ever (an unknown symbol, a body that is no request, a request that
    ended its worker `attempts` times) becomes a dead letter. A store that is away is waited for.
    """

    def __init__(
        self,
        service: PredictionService,
        ports: Ports,
        queue: RequestQueue,
        consumer: str,
        attempts: int,
    ) -> None:
        self._queue = queue
        self._ports = ports
        self._service = service
        self._consumer = consumer
        self._attempts = attempts

    def run(self, stopped: Callable[[], bool]) -> int:
        """Work until `stopped()`; return how many requests were answered."""
        return asyncio.run(self._run(stopped))

    async def _run(self, stopped: Callable[[], bool]) -> int:
        answered = 0
        while not stopped():
            try:
                taken = await asyncio.to_thread(self._queue.take, self._consumer, BATCH, WAIT_S)
            except StorageError as error:
                get_logger(__name__).warning("queue_away", why=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            outcomes = await asyncio.gather(*(self._work(one, stopped) for one in taken))
            answered += sum(outcomes)
        return answered

    async def _work(self, one: QueuedRequest, stopped: Callable[[], bool]) -> bool:
        begun = time.perf_counter()
        while True:
            try:
                outcome = await self._settle(one)
                break
            except StorageError as error:
                REQUESTS_WORKED.labels("retried").inc()
                get_logger(__name__).warning("request_waits", why=str(error), id=one.request_id)
                if stopped():
                    return False  # it stays taken, and is delivered again
                await asyncio.sleep(RETRY_S)
        REQUESTS_WORKED.labels(outcome).inc()
        REQUEST_WORK_SECONDS.observe(time.perf_counter() - begun)
        return outcome == "answered"

    async def _settle(self, one: QueuedRequest) -> str:
        """Answer one request, or bury it; StorageError means that it has to be tried again."""
        if one.deliveries == 1 or not await self._is_stored(one):
            if one.deliveries > self._attempts:
                why = f"it was taken {one.deliveries} times and never answered"
                return await self._bury(one, why)
            try:
                await self._service.answer(_decode(one.body), one.request_id)
            except StorageError:
                if not await self._is_stored(one):
                    raise
            except (BellwetherError, msgspec.MsgspecError) as error:
                return await self._bury(one, str(error))
        await asyncio.to_thread(self._queue.done, one)
        return "answered"

    async def _is_stored(self, one: QueuedRequest) -> bool:
        return await asyncio.to_thread(self._ports.log.get, one.request_id) is not None

    async def _bury(self, one: QueuedRequest, why: str) -> str:
        now = self._ports.wall.now()
        await asyncio.to_thread(self._queue.bury, one, why, now)
        get_logger(__name__).warning("request_given_up", id=one.request_id, why=why)
        return "dead"
