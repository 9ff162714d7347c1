"""Submissions as bytes on a wire, and what can be wrong with them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from urllib.parse import quote

from tests.fakes.videos import mutated

BOUNDARY = "------------------------fuzz5f3b"
CRLF = "\r\n"
UGLY_TEXTS = (
    "",
    "\0",
    "a\0b",
    "\x01\x1f\x7f",
    "é☃\U0001f600",
    "\u202egnp.exe",
    "../../../../etc/passwd",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "C:\\video.mp4",
    'a"b\\"c;d=e',
    "'; DROP TABLE jobs; --",
    "%00%0a%s%n{0}${HOME}",
    "x" * 300,
    "x" * 20_000,
    "\uff11\uff12",
    "-0",
    "1e999",
    "9" * 5000,
    "true",
    "null",
)
UGLY_JSON = (
    "{",
    "[]",
    "null",
    "NaN",
    '{"scene_detection": {"threshold": NaN}}',
    '{"scene_detection": {"threshold": 1e999}}',
    '{"scene_detection": {"threshold": ' + "9" * 400 + "}}",
    '{"scene_detection": {"threshold": ' + "9" * 5000 + "}}",
    '{"scene_detection": {"detector": "\\u0000"}}',
    '{"scene_detection": {"detector": "\\ud800"}}',
    '{"\\u0000": 1}',
    '{"a\\ud800": {}}',
    '{"scene_detection": [], "voice_activity": 3}',
    '{"scene_detection": {"threshold": 3, "threshold": 4}}',
    "[" * 100_000,
    '{"a":' * 5000 + "1" + "}" * 5000,
    json.dumps({f"key{n}": {"a": n} for n in range(3000)}),
    '{"scene_detection": {"note": "\\u0000", "deep": [[[[[]]]]]}}',
    '\ufeff{"scene_detection": {}}',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a form."""

    name: str
    content: bytes
    filename: str | None = None
    lines: tuple[bytes, ...] | None = None  #: header lines instead of the usual ones

    def head(self) -> bytes:
        """Its header lines."""
        if self.lines is not None:
            return b"".join(line + b"\r\n" for line in self.lines)
        named = f'Content-Disposition: form-data; name="{self.name}"'
        if self.filename is None:
            return f"{named}\r\n".encode()
        return f'{named}; filename="{self.filename}"\r\nContent-Type: video/mp4\r\n'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A submission before it becomes bytes."""

    parts: tuple[Part, ...]
    path: str = "/api/v1/jobs"
    method: str = "POST"
    boundary: bytes = BOUNDARY.encode()
    content_type: bytes | None = f"multipart/form-data; boundary={BOUNDARY}".encode()
    headers: tuple[bytes, ...] = ()
    framing: tuple[bytes, ...] | None = None  #: header lines instead of Content-Length
    ending: bytes = b"--\r\n"  #: behind the last boundary
    preamble: bytes = b""
    line_end: bytes = b"\r\n"
    raw: bytes | None = None  #: the body, whatever the parts are
    complete: bool = True  #: HTTP's own rules are kept, so there must be an answer

    def body(self) -> bytes:
        """The bytes behind the head."""
        if self.raw is not None:
            return self.raw
        parts = [
            b"--" + self.boundary + self.line_end + part.head() + self.line_end + part.content
            for part in self.parts
        ]
        whole = self.preamble + self.line_end.join(parts)
        return whole + self.line_end + b"--" + self.boundary + self.ending

    def request(self, key: str) -> bytes:
        """All bytes, with the secret of a key."""
        body = self.body()
        lines = [
            f"{self.method} {self.path} HTTP/1.1".encode(),
            b"Host: localhost",
            b"Connection: close",
            f"Authorization: Bearer {key}".encode(),
            *([b"Content-Type: " + self.content_type] if self.content_type is not None else ()),
            *(self.framing if self.framing is not None else (b"Content-Length: %d" % len(body),)),
            *self.headers,
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


def intact(video: bytes, dice: Random) -> Form:
    """What a client sends, with its parts in some order."""
    parts = [
        Part(name="video", content=video, filename="clip.mp4"),
        Part(name="selected_pipelines", content=b"scene_detection"),
        Part(name="config", content=b'{"scene_detection": {"threshold": 5}}'),
        Part(name="priority", content=b"0"),
    ]
    chosen = parts[:1] + dice.sample(parts[1:], dice.randrange(4))
    return Form(parts=tuple(dice.sample(chosen, len(chosen))))


Mutation = Callable[[Form, Random], Form]


def boundaries(form: Form, dice: Random) -> Form:
    """Head and body disagree about the boundary, or it is none."""
    told = dice.choice(
        (
            b"multipart/form-data",
            b"multipart/form-data; boundary=",
            b"multipart/form-data; boundary=other",
            b'multipart/form-data; boundary="' + form.boundary,
            b"multipart/form-data; boundary=" + b"x" * dice.choice((70, 71, 300, 60_000)),
            b"multipart/form-data; boundary=\xff\xfe",
            b"multipart/form-data; boundary=a b\tc",
            b"multipart/form-data; boundary=" + form.boundary + b"; boundary=two",
            b"Multipart/Form-Data ; BOUNDARY=" + form.boundary,
        )
    )
    if dice.random() < 0.6:
        return replace(form, content_type=told)
    return replace(
        form,
        boundary=dice.choice((form.boundary, form.boundary + b"x", form.boundary[:-1])),
        ending=dice.choice((b"--\r\n", b"--", b"", b"\r\n", b"--\r\nmore", b"-", b"--\0")),
        preamble=dice.choice((b"", b"\r\n", b"words before\r\n", b"\0" * 1000 + b"\r\n")),
        line_end=dice.choice((b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" \r\n")),
    )


def part_heads(form: Form, dice: Random) -> Form:
    """Header lines of a part: too long, too many, broken, strange names and types."""
    disposition = b'Content-Disposition: form-data; name="video"; filename="a.mp4"'
    lines = dice.choice(
        (
            (disposition, b"X-Long: " + b"y" * dice.choice((1000, 5000, 100_000))),
            (disposition, *(b"X-%d: y" % n for n in range(dice.choice((9, 100, 3000))))),
            (disposition, b"no colon"),
            (disposition, b" continued"),
            (disposition, b"Content-Length: 99999999999999999999"),
            (disposition, b"Content-Length: -1"),
            (disposition, b"Content-Transfer-Encoding: base64"),
            (disposition, b"Content-Type: multipart/mixed; boundary=" + form.boundary),
            (disposition, b"Content-Type: \xff\0; charset=\0"),
            (disposition, disposition),
            (b"Content-Disposition: attachment",),
            (b"Content-Disposition: form-data",),
            (b"Content-Disposition: form-data; name=",),
            (b"Content-Disposition: form-data; name=video; filename*=utf-8''%00%ff%2e%2e%2f",),
            (b"Content-Disposition: form-data; name*=utf-9'x'video; filename*=''",),
            (b'Content-Disposition: form-data; name="video"; filename="\xff\xfe\0"',),
            (b"\0: \0",),
            (),
        )
    )
    at = dice.randrange(len(form.parts))
    return _with_part(form, at, replace(form.parts[at], lines=tuple(lines)))


def names(form: Form, dice: Random) -> Form:
    """NUL, Unicode, paths and much too long names of fields and files."""
    at, ugly = dice.randrange(len(form.parts)), dice.choice(UGLY_TEXTS)
    part = form.parts[at]
    if part.filename is not None and dice.random() < 0.7:
        return _with_part(form, at, replace(part, filename=ugly))
    return _with_part(form, at, replace(part, name=ugly))


def values(form: Form, dice: Random) -> Form:
    """Fields that say what nobody expects."""
    name = dice.choice(("config", "selected_pipelines", "priority", "video_id"))
    texts = UGLY_JSON if name == "config" else (*UGLY_TEXTS, '["a", 1]', '["\\ud800"]', "[" * 9999)
    content = dice.choice(texts).encode()
    if dice.random() < 0.1:
        content = b"\xff\xfe" + content
    if dice.random() < 0.1:
        content = b"x" * dice.choice((256 * 1024, 256 * 1024 + 1, 2_000_000))
    parts = [part for part in form.parts if part.name != name]
    if name == "video_id" and dice.random() < 0.8:
        parts = [part for part in parts if part.name != "video"]
    return replace(form, parts=(*parts, Part(name=name, content=content)))


def many(form: Form, dice: Random) -> Form:
    """Parts again and again, by the thousand, or inside each other."""
    how = dice.randrange(4)
    if how == 0:
        return replace(form, parts=form.parts * dice.choice((2, 9, 1000)))
    if how == 1:
        empty = tuple(Part(name=f"f{n}", content=b"") for n in range(dice.choice((31, 33, 5000))))
        return replace(form, parts=dice.choice((empty + form.parts, form.parts + empty)))
    if how == 2:
        inner = replace(form, boundary=b"inner").body()
        lines = (
            b'Content-Disposition: form-data; name="video"; filename="x"',
            b"Content-Type: multipart/mixed; boundary=inner",
        )
        return replace(form, parts=(Part(name="video", content=inner, lines=lines),))
    return replace(form, parts=())


def lengths(form: Form, dice: Random) -> Form:
    """Content-Length is not the length, or not the only one."""
    size = len(form.body())
    told: Sequence[bytes] = dice.choice(
        (
            (b"Content-Length: %d" % dice.randrange(size),),
            (b"Content-Length: %d" % (size + dice.choice((1, 100, 10**6))),),
            (b"Content-Length: %d" % 10 ** dice.choice((12, 18, 19, 30, 400)),),
            (b"Content-Length: -1",),
            (b"Content-Length: abc",),
            (b"Content-Length: +%d" % size,),
            (b"Content-Length: 0x10",),
            ("Content-Length: ٣".encode(),),
            (b"Content-Length: %d" % size, b"Content-Length: %d" % (size + 1)),
            (b"Content-Length: %d" % size, b"Transfer-Encoding: chunked"),
            (b"Content-Length:",),
            (),
        )
    )
    return replace(form, framing=tuple(told), complete=False)


def chunks(form: Form, dice: Random) -> Form:
    """Chunked encoding, with mistakes."""
    body, wire = form.body(), bytearray()
    right = dice.random() < 0.3
    while body:
        size = dice.randrange(1, 4000)
        piece, body = body[:size], body[size:]
        told = b"%x" % len(piece)
        if not right and dice.random() < 0.3:
            ways = (b"-1", b"zz", b"", b"f" * 40, b"%x" % (size + 9), b"0", told + b";a=" * 999)
            told = dice.choice(ways)
        wire += (
            told
            + b"\r\n"
            + piece
            + dice.choice((b"\r\n", b"\r\n", b"\r\n", b"" if not right else b"\r\n"))
        )
    wire += b"0\r\n\r\n" if right else dice.choice((b"0\r\n\r\n", b"", b"0\r\nX: y\r\n\r\n", b"0"))
    coding = b"chunked" if right else dice.choice((b"chunked", b"chunked", b"gzip, chunked", b"x"))
    framing = (b"Transfer-Encoding: " + coding,)
    return replace(form, raw=bytes(wire), framing=framing, complete=right)


def cuts(form: Form, dice: Random) -> Form:
    """The client goes away in the middle."""
    body = form.body()
    framing = (b"Content-Length: %d" % len(body),)
    kept = body[: dice.randrange(len(body))]
    return replace(form, raw=kept, framing=framing, complete=False)


def kinds(form: Form, dice: Random) -> Form:
    """Another type, the same bytes; or another body of the type."""
    told = dice.choice(
        (
            None,
            b"",
            b"\xff",
            b";",
            b"application/json",
            b"text/plain; charset=\0",
            b"application/x-www-form-urlencoded",
            b"application/octet-stream",
            b"multipart/mixed; boundary=" + form.boundary,
            b"multipart/form-data; boundary=" + form.boundary + b"; charset=utf-7",
        )
    )
    bodies = (None, b"", b"{}", b"video_id=%00&config=%ff", b"&" * 5000, b"config=%7B&priority=x")
    return replace(form, content_type=told, raw=dice.choice(bodies))


def heads(form: Form, dice: Random) -> Form:
    """Lines of the request's own head."""
    lines = dice.choice(
        (
            (b"Idempotency-Key: ",),
            (b"Idempotency-Key: " + b"k" * 256,),
            (b"Idempotency-Key: \xff\xfe",),
            (b"Idempotency-Key: a\0b",),
            (b"Idempotency-Key: same",),
            (b"Idempotency-Key: one", b"Idempotency-Key: two"),
            (b"X-Request-ID: \xff" + b"r" * 100,),
            (b"X-Big: " + b"b" * dice.choice((8000, 70_000, 1_000_000)),),
            tuple(b"X-%d: y" % n for n in range(dice.choice((200, 5000)))),
            (b"Expect: 100-continue",),
            (b"Content-Encoding: gzip",),
            (b"Upgrade: websocket", b"Connection: Upgrade"),
            (b"Authorization: Bearer other",),
            (b"Range: bytes=0-",),
            (b"If-None-Match: \xff",),
            (b"Last-Event-ID: " + b"9" * 50,),
        )
    )
    # A second head line of another kind may end the connection before an answer.
    return replace(form, headers=tuple(lines), complete=False)


def paths(form: Form, dice: Random) -> Form:
    """Other addresses, with what belongs to none of them."""
    ugly = quote(dice.choice(UGLY_TEXTS)[:2000].encode())
    path = dice.choice(
        (
            f"/api/v1/jobs/{ugly}",
            f"/api/v1/jobs/{ugly}/cancel",
            f"/api/v1/jobs/{ugly}/results/files/{ugly}",
            f"/api/v1/jobs/{ugly}/artifacts",
            f"/api/v1/jobs?page={ugly}&per_page={ugly}",
            f"/api/v1/jobs?search={ugly}&sort={ugly}",
            f"/api/v1/jobs?status_filter={ugly}&pipeline={ugly}",
            f"/api/v1/jobs?created_after={ugly}&owner={ugly}",
            f"/api/v1/pipelines/{ugly}",
            f"/api/v1/pipelines/{ugly}/validate",
            "/api/v1/config/validate",
            "/api/v1/events/ticket",
            f"/api/v1/system/health?{ugly}",
            f"/{ugly}",
        )
    )
    method = dice.choice(("GET", "POST", "DELETE", "PUT", "HEAD", "PATCH", "OPTIONS", "BREW"))
    body = dice.choice((b"", dice.choice(UGLY_JSON).encode(), b"\xff\0", None))
    kind = dice.choice((b"application/json", form.content_type))
    # An empty name leaves an address that means something else: a stream of events has no end.
    return replace(form, path=path, method=method, raw=body, content_type=kind)


def damage(form: Form, dice: Random) -> Form:
    """Accidents on the way: see tests/fakes/videos.py."""
    return replace(form, raw=mutated(form.body(), dice.randrange(2**32)))


def nothing(form: Form, dice: Random) -> Form:
    """As it should be."""
    return form


MUTATIONS: tuple[Mutation, ...] = (
    boundaries,
    part_heads,
    names,
    values,
    many,
    lengths,
    chunks,
    cuts,
    kinds,
    heads,
    paths,
    damage,
    nothing,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is sent."""

    kind: str
    form: Form
    request: bytes
    complete: bool = field(default=True)


def submission(video: bytes, key: str, dice: Random) -> Submission:
    """One submission with one or two things wrong."""
    mutation = dice.choice(MUTATIONS)
    form = mutation(intact(video, dice), dice)
    if dice.random() < 0.15 and form.raw is None:
        form = dice.choice((values, names, part_heads))(form, dice) if form.parts else form
    request = form.request(key)
    complete = form.complete
    if mutation is damage and dice.random() < 0.3:
        request, complete = mutated(request, dice.randrange(2**32)), False
    return Submission(kind=mutation.__name__, form=form, request=request, complete=complete)


def _with_part(form: Form, at: int, part: Part) -> Form:
    return replace(form, parts=(*form.parts[:at], part, *form.parts[at + 1 :]))
