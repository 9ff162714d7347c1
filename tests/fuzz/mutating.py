"""Accidents and lies that happen to a file, chosen by dice."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from tests.fakes.videos import mutated
from tests.fuzz.sources import TEXTS

#: Names in headers: boxes of ISO media, elements of Matroska, chunks of RIFF, pages, start codes.
MARKERS: tuple[bytes, ...] = (
    *(b"ftyp moov mvhd trak tkhd mdia mdhd hdlr minf vmhd smhd dinf dref stbl stsd".split()),
    *(b"avc1 hvc1 mp4a avcC hvcC esds colr pasp stts ctts stss stsc stsz stco co64".split()),
    *(b"edts elst udta meta mdat moof mfhd traf tfhd tfdt trun mvex trex".split()),
    *(b"RIFF LIST avih strl strh strf idx1 movi JUNK fmt  data 00dc 01wb WAVE fLaC".split(b" ")),
    *(b"OggS OpusHead OpusTags vorbis FLV ID3 FORM COMM SSND caff desc pakt".split()),
    bytes.fromhex("1a45dfa3"),  # EBML
    bytes.fromhex("18538067"),  # Segment
    bytes.fromhex("1549a966"),  # Info
    bytes.fromhex("2ad7b1"),  # TimestampScale
    bytes.fromhex("4489"),  # Duration
    bytes.fromhex("1654ae6b"),  # Tracks
    bytes.fromhex("23e383"),  # DefaultDuration
    bytes.fromhex("1f43b675"),  # Cluster
    bytes.fromhex("1c53bb6b"),  # Cues
    bytes.fromhex("000001b3"),  # MPEG sequence
    bytes.fromhex("000001e0"),  # MPEG picture stream
    bytes.fromhex("fffb"),  # MP3 frame
)
NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000)
NUMBERS += (0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
#: What makes a track of another kind, or none at all: bytes and what they become.
STREAMS: tuple[tuple[bytes, bytes], ...] = (
    (b"trak", b"free"),
    (b"vide", b"soun"),
    (b"soun", b"vide"),
    (b"vide", b"text"),
    (b"vids", b"auds"),
    (b"auds", b"vids"),
    (b"strl", b"JUNK"),
    (bytes.fromhex("838101"), bytes.fromhex("838102")),
    (bytes.fromhex("838102"), bytes.fromhex("838111")),
)

Sources = Mapping[str, bytes]  #: kind -> an intact file
Accident = Callable[[bytes, Sources, Random], bytes]


def damage(data: bytes, others: Sources, dice: Random) -> bytes:
    """Bits flipped, stretches lost, repeated, zeroed or exchanged, anywhere."""
    return mutated(data, dice.randrange(2**32))


def lie(data: bytes, others: Sources, dice: Random) -> bytes:
    """A few fields of a header say something else: sizes, durations, times, sides, rotations."""
    changed = bytearray(data)
    places = found(data, MARKERS)
    for _ in range(dice.choice((1, 1, 2, 4))):
        place = dice.choice(places) if places else dice.randrange(len(data))
        # The size of a box stands before its name; what it says, behind.
        at = max(0, place + dice.choice((-4, 4, 8, *range(4, 48))))
        width = dice.choice((1, 2, 4, 4, 8))
        number = dice.choice((*NUMBERS, dice.randrange(2**64)))
        order = dice.choice(("big", "big", "little"))
        number %= 256**width
        changed[at : at + width] = number.to_bytes(width, order)  # type: ignore[arg-type]
    return bytes(changed)


def splice(data: bytes, others: Sources, dice: Random) -> bytes:
    """The beginning of one file and the end of another, or a piece of it in the middle."""
    other = others[dice.choice(sorted(others))]
    at, begin = dice.randrange(len(data) + 1), dice.randrange(len(other) + 1)
    if dice.random() < 0.5:
        return data[:at] + other[begin:]
    return data[:at] + other[begin : begin + dice.randrange(4000)] + data[at:]


def truncate(data: bytes, others: Sources, dice: Random) -> bytes:
    """The end is missing, rarely all of it."""
    return data[: dice.choice((0, 1, dice.randrange(64), *[dice.randrange(len(data) + 1)] * 5))]


def swap_streams(data: bytes, others: Sources, dice: Random) -> bytes:
    """Tracks become others or vanish: files without pictures, without sound, without both."""
    fitting = [pair for pair in STREAMS if pair[0] in data]
    if not fitting:
        return lie(data, others, dice)
    for old, new in dice.sample(fitting, dice.randint(1, len(fitting))):
        data = data.replace(old, new, dice.choice((1, 1, -1)))
    return data


def grow(data: bytes, others: Sources, dice: Random) -> bytes:
    """Zeros or repetitions of itself behind, or rubbish before it."""
    many = dice.choice((1, 100, 100_000))
    return dice.choice((data + bytes(many), data * 3, dice.randbytes(min(many, 4000)) + data))


ACCIDENTS: Sequence[tuple[Accident, int]] = (
    (damage, 8),
    (lie, 10),
    (splice, 4),
    (truncate, 2),
    (swap_streams, 2),
    (grow, 1),
)


def mutant(sources: Sources, dice: Random) -> tuple[str, str, bytes]:
    """A kind, the names of the accidents, and what they left of an intact file of that kind."""
    kind = dice.choice(sorted(sources))
    if kind in TEXTS:
        kind = dice.choice(sorted(sources))  # these are rare
    data, names = sources[kind], []
    for _ in range(dice.choice((1, 1, 1, 2))):
        accident = dice.choices([a for a, _ in ACCIDENTS], [weight for _, weight in ACCIDENTS])[0]
        names.append(accident.__name__)
        data = accident(data, sources, dice) if data else data
    return kind, "+".join(names), data


def found(data: bytes, markers: Sequence[bytes]) -> list[int]:
    """Where each marker stands, the first fifty times."""
    places = []
    for marker in markers:
        place = data.find(marker)
        for _ in range(50):
            if place < 0:
                break
            places.append(place)
            place = data.find(marker, place + 1)
    return places
