"""Parts made of files, bytes and URLs: what kind of file it is."""

from __future__ import annotations

import mimetypes

import pytest

from cogent import ConfigurationError, audio, document, image
from cogent.messages import FilePart, ImagePart

OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.fixture(autouse=True)
def _no_table_of_the_system(monkeypatch):
    """A slim container has no /etc/mime.types."""
    monkeypatch.setattr("cogent.media.guess_type", mimetypes.MimeTypes(()).guess_type)


@pytest.mark.parametrize(
    ("make", "name", "kind"),
    [
        (image, "a.webp", "image/webp"),
        (image, "A.JPG", "image/jpeg"),
        (image, "a.heic", "image/heic"),
        (document, "a.md", "text/markdown"),
        (document, "a.docx", f"{OFFICE}.wordprocessingml.document"),
        (audio, "a.ogg", "audio/ogg"),
        (audio, "a.m4a", "audio/mp4"),
        (audio, "a.flac", "audio/flac"),
    ],
)
def test_a_name_tells_the_type_on_every_machine(make, name, kind, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"x")
    assert make(path).media_type == kind


@pytest.mark.parametrize(
    ("make", "data", "kind"),
    [
        (image, b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (image, b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (image, b"\0\0\0\x18ftypheic\0\0", "image/heic"),
        (document, b"%PDF-1.7\n", "application/pdf"),
        (audio, b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        (audio, b"ID3\4\0\0", "audio/mpeg"),
        (audio, b"\0\0\0\x18ftypM4A \0", "audio/mp4"),
    ],
)
def test_first_bytes_tell_the_type_where_no_name_does(make, data, kind, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(data)
    assert make(data).media_type == make(path).media_type == kind


@pytest.mark.parametrize("make", [image, audio, document])
def test_a_type_that_nothing_tells_is_asked_for(make, tmp_path):
    """It is not guessed: a provider would refuse a false one, or misread the file."""
    path = tmp_path / "notes.unknown"
    path.write_bytes(b"Dear diary")
    for source in (b"Dear diary", path):
        with pytest.raises(ConfigurationError, match="media_type="):
            make(source)
        assert make(source, media_type="x/y").media_type == "x/y"


def test_urls():
    """Nothing is read of a URL; the type of a ``data:`` URL is its own."""
    assert image("https://a.test/b.webp?c=d.png") == ImagePart(
        url="https://a.test/b.webp?c=d.png", media_type="image/webp"
    )
    assert image("https://a.test/b") == ImagePart(url="https://a.test/b")
    assert image("data:image/gif;base64,eA==") == ImagePart(data="eA==", media_type="image/gif")


def test_a_document_of_bytes_may_have_a_name():
    """It is one as good as a path's."""
    part = FilePart(data="eA==", media_type="text/markdown", filename="a.md")
    assert document(b"x", filename="a.md") == part
