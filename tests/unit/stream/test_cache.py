"""The cache of rows is bounded by what they take."""

from app.stream.cache import Recent


def test_what_was_used_longest_ago_leaves_when_they_take_too_much() -> None:
    recent: Recent[str, int] = Recent(100)
    for number in range(3):
        recent.put(str(number), number, 40)
    assert [str(number) in recent for number in range(3)] == [False, True, True]

    recent.get("1")
    recent.put("3", 3, 40)
    assert ("1" in recent, "2" in recent) == (True, False)


def test_an_entry_counts_by_its_latest_size() -> None:
    recent: Recent[str, int] = Recent(100)
    recent.put("a", 1, 90)
    recent.put("a", 2, 10)
    recent.put("b", 1, 90)
    assert recent.get("a") == (2, 10)
    recent.drop("b")
    recent.put("c", 1, 90)
    assert "a" in recent
    recent.put("d", 1, 101)
    assert not any(key in recent for key in "abcd")
