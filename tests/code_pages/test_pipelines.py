"""The files for pipelines on the goal's page, and their zip."""

import zipfile
from collections.abc import Callable
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from snippets.rendering import PIPELINE_KINDS, SnippetKind, render
from tests.code_pages.conftest import GOAL_KEY, PUBLIC_URL, SaveGoal
from tests.code_pages.test_pages import NOWHERE, PAGE
from tests.factories import make_full_goal

GOAL = make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=1)


@pytest.fixture(autouse=True)
def stored(connect: Callable[..., None], save: SaveGoal) -> None:
    """A goal with both options on."""
    connect(NOWHERE)
    save()


@pytest.mark.parametrize("kind", sorted(PIPELINE_KINDS))
def test_the_zip_has_each_file_at_its_place(admin_client: FlaskClient, kind: SnippetKind) -> None:
    # when the zip is downloaded, twice
    first, second = (admin_client.get(f"{PAGE}/code/{kind}.zip") for _ in range(2))
    # then it is the same, and has the files to the byte
    assert first.headers["Content-Type"] == "application/zip"
    assert first.headers["Content-Disposition"] == f'attachment; filename="websync-{kind}.zip"'
    assert first.data == second.data
    with zipfile.ZipFile(BytesIO(first.data)) as archive:
        assert archive.testzip() is None
        found = {entry.filename: archive.read(entry).decode() for entry in archive.infolist()}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
    assert found == {file.path: file.code for file in render(GOAL, kind).files}


@pytest.mark.parametrize("kind", sorted(PIPELINE_KINDS))
def test_each_file_can_be_downloaded_alone(admin_client: FlaskClient, kind: SnippetKind) -> None:
    for file in render(GOAL, kind).files:
        response = admin_client.get(f"{PAGE}/code/{kind}?file={file.name}")
        language = "javascript" if file.language == "javascript" else "plain"
        assert response.text == file.code
        assert response.headers["Content-Type"] == f"text/{language}; charset=utf-8"


def test_the_page_leads_to_each_zip(admin_client: FlaskClient) -> None:
    page = admin_client.get(PAGE).text
    for kind in PIPELINE_KINDS:
        assert f'href="{PAGE}/code/{kind}.zip"' in page


@pytest.mark.parametrize("path", ["code/action.zip", "code/other.zip"])
def test_there_is_no_zip_of_other_code(admin_client: FlaskClient, path: str) -> None:
    assert admin_client.get(f"{PAGE}/{path}").status_code == 404


def test_zips_are_for_admins(client: FlaskClient) -> None:
    assert "/sign-in" in client.get(f"{PAGE}/code/terraform.zip").location
