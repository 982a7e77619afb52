import pytest
from flask import jsonify

from tests.auth0.scripted import ScriptedTenant
from webapp.auth0.answers import Auth0AnswerError
from webapp.auth0.user_sample import MAX_SAMPLED_DATABASES, SAMPLE_SIZE, sample_users


def test_the_users_who_changed_last_are_asked_for_and_no_more() -> None:
    # given a tenant
    scripted = ScriptedTenant([lambda: jsonify([{"user_id": "auth0|ann"}])])
    with scripted.client() as client:
        # when a sample of all users is read
        assert sample_users(client) == [{"user_id": "auth0|ann"}]
    # then one page was asked for
    _token, query = scripted.queries
    assert (query["sort"], query["per_page"], query.get("q")) == ("updated_at:-1", str(SAMPLE_SIZE), None)


def test_many_databases_take_few_calls() -> None:
    # given more databases than are asked for, one with a name that is no plain text
    scripted = ScriptedTenant([lambda: jsonify([])])
    with scripted.client() as client:
        assert sample_users(client, ['a"b', *(f"db-{number}" for number in range(20))]) == []
    # then the sample is shared among the first of them
    assert [query["q"] for query in scripted.queries[1:3]] == [
        'identities.connection:"a\\"b"',
        'identities.connection:"db-0"',
    ]
    assert len(scripted.queries) == 1 + MAX_SAMPLED_DATABASES
    assert {query["per_page"] for query in scripted.queries[1:]} == {str(SAMPLE_SIZE // MAX_SAMPLED_DATABASES)}


@pytest.mark.parametrize("answer", [5, {"users": []}, ["ann"]])
def test_what_is_no_list_of_users_is_refused(answer: object) -> None:
    with ScriptedTenant([lambda: jsonify(answer)]).client() as client, pytest.raises(Auth0AnswerError):
        sample_users(client)
