"""A small size of the run that `posts_under_kill` makes; docs/performance.md has the figures of the full one."""

from tests.durability.posts_under_kill import Plan, post_under_kill


def test_what_was_answered_is_applied_once_however_often_the_server_is_killed(database_url: str) -> None:
    # given a service on a database
    # when eight processes post 1,500 tokens, and the server is killed three times meanwhile
    report = post_under_kill(database_url, Plan(posts=1500, processes=8, people=40, kills=3))
    # then each token was applied exactly once, and every person has one profile
    assert report.is_good, str(report)
    assert report.unanswered > 0
