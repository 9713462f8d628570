"""Every answer is told to whoever counts, by its route and never by what stands in the address."""

from tests.support.web import Served


async def test_an_answer_is_counted_by_its_route(served: Served) -> None:
    await served.ask("GET", "/jobs/1001")

    told = served.answered[-1]
    assert told.route == "/api/integrations/servicetitan/jobs/{jobId}"
    assert (told.method, told.status) == ("GET", 404)
    assert told.seconds >= 0


async def test_what_is_none_of_ours_is_counted_as_one(served: Served) -> None:
    await served.ask("GET", "/someones/phone/6025550100", api=False)

    assert served.answered[-1].route == "unmatched"
    assert served.answered[-1].status == 404


async def test_metrics_are_served_as_text(served: Served) -> None:
    status, body, headers = await served.ask("GET", "/metrics", api=False)

    assert (status, body) == (200, "# nothing happened yet\n")
    assert headers["Content-Type"].startswith("text/plain")
