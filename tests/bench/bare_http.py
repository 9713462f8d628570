"""The baseline of the web views: aiohttp doing the same work, and nothing else.

`python -m tests.bench.bare_http PORT SERVERS TOPIC VIEW`: a health that is made up, a booking out of the
SQLite file VIEW, a webhook that is answered when Kafka has it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

import orjson
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer


async def main(port: int, servers: str, topic: str, view: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    reader = sqlite3.connect(f"file:{view}?mode=ro", uri=True, check_same_thread=False)
    threads = ThreadPoolExecutor(1)

    def read(booking: str) -> bytes | None:
        row = reader.execute("SELECT row FROM bookings WHERE booking_id = ?", (booking,)).fetchone()
        return None if row is None else row[0]

    async def health(_: web.Request) -> web.Response:
        return _json({"success": True, "data": {"status": "healthy", "version": "1", "uptime": 1}})

    async def look_up(request: web.Request) -> web.Response:
        row = await asyncio.get_running_loop().run_in_executor(threads, read, request.match_info["id"])
        return (
            web.Response(status=404) if row is None else _json({"success": True, "data": orjson.loads(row)})
        )

    async def webhook(request: web.Request) -> web.Response:
        body = await request.read()
        key = str(orjson.loads(body)["jobId"]).encode()
        await producer.send_and_wait(topic, body, key=key)
        return _json({"success": True}, status=202)

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_get("/bookings/{id}", look_up)
    app.router.add_post("/webhook", webhook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("listening", flush=True)
    await asyncio.Event().wait()


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), *sys.argv[2:5]))
