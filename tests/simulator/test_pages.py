"""The pages for people."""

from html.parser import HTMLParser

import pytest

from tests.support.simulated import Caller

PAGES = ["/simulator", "/simulator?live=1", "/simulator/docs", "/simulator/jobs/{job}"]


class Reader(HTMLParser):
    """The tags of a page; every one that needs closing is closed in order."""

    VOID = ("meta", "link", "input", "br", "line")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def page(caller: Caller, path: str) -> str:
    answer = await caller.send("GET", path)
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_that_it_is_a_simulation(caller: Caller, path: str) -> None:
    job = await caller.add_job(booking="BK-1")
    await caller.control("POST", "faults", {"kind": "slow", "seconds": 0})
    await caller.call("GET", "jpm/jobs")
    read = Reader(await page(caller, path.format(job=job["id"])))
    text = await page(caller, path.format(job=job["id"]))
    assert "SIMULATION" in text.partition("</title>")[0]
    assert "SIMULATION of ServiceTitan</h1>" in text
    names = [tag for tag, _ in read.tags]
    assert "script" not in names
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in read.tags
    assert not [attributes for _, attributes in read.tags if "style" in attributes or "onclick" in attributes]


async def test_the_overview_shows_jobs_customers_calls_and_faults(caller: Caller) -> None:
    customer = await caller.add_customer(name="<b>Ada</b>")
    job = await caller.add_job(customer, "BK-<1>")
    await caller.control("POST", "faults", {"kind": "half", "path": "*/nothing"})
    text = await page(caller, "/simulator")
    assert "&lt;b&gt;Ada&lt;/b&gt;" in text
    assert "BK-&lt;1&gt;" in text
    assert job["jobNumber"] in text
    assert "*/nothing" in text
    assert "555-0100" not in text, "phones are masked"
    assert "job.created" in text
    await caller.add_job(customer, "BK-<1>")
    assert "More than one job" in await page(caller, "/simulator")


async def test_an_empty_overview_is_a_page_too(caller: Caller) -> None:
    Reader(await page(caller, "/simulator"))


async def submit(caller: Caller, to: str, **fields: str) -> int:
    answer = await caller.send("POST", to, data=fields, allow_redirects=False)
    return answer.status


async def test_faults_are_set_and_taken_back_by_the_page(caller: Caller) -> None:
    wanted = {"kind": "error_before", "method": "GET", "path": "*/jobs", "rate": "1", "end": ""}
    assert await submit(caller, "/simulator/page/fault", **wanted) == 303
    assert (await caller.call("GET", "jpm/jobs")).status == 500
    assert await submit(caller, "/simulator/page/clear", number="1") == 303
    assert (await caller.call("GET", "jpm/jobs")).status == 200
    assert await submit(caller, "/simulator/page/outage", seconds="60") == 303
    assert (await caller.call("GET", "jpm/jobs")).status == 503
    assert await submit(caller, "/simulator/page/clear") == 303
    assert await submit(caller, "/simulator/page/revoke") == 303
    assert (await caller.call("GET", "jpm/jobs")).status == 401
    assert await submit(caller, "/simulator/page/fault", kind="nothing") == 400


async def test_a_job_is_played_by_the_page(caller: Caller) -> None:
    job = await caller.add_job()
    path = f"/simulator/jobs/{job['id']}"
    assert await submit(caller, f"{path}/page", action="complete") == 303
    assert "Completed" in await page(caller, path)
    answer = await caller.send("POST", f"{path}/page", data={"action": "work"}, allow_redirects=False)
    assert answer.status == 200
    assert "The job is Completed." in answer.text
    assert await submit(caller, "/simulator/page/life", seconds="3") == 303
    assert caller.simulator.state.life.seconds == 3
    assert (await caller.send("GET", "/simulator/jobs/1")).status == 404


async def test_forms_of_other_sites_are_not_taken(caller: Caller) -> None:
    answer = await caller.send(
        "POST", "/simulator/page/outage", data={"seconds": "60"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status == 403
    assert (await caller.call("GET", "jpm/jobs")).status == 200


async def test_the_docs_name_every_endpoint(caller: Caller) -> None:
    from app.simulator.server import ROUTES

    text = await page(caller, "/simulator/docs")
    assert all(route.path in text for route in ROUTES)
    assert (await caller.send("GET", "/simulator/style.css")).headers["Content-Type"].startswith("text/css")
