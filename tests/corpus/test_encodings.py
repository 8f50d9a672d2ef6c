"""Texts in encodings that bear no mark: read rightly, or with a word that the encoding is not sure."""

import pytest

from lilliput.corpus.files.large_texts import open_large, survey
from lilliput.corpus.files.small_texts import read_files
from lilliput.corpus.settings import ReadSettings
from lilliput.corpus.text.byte_decoding import TextDecoder, decode
from lilliput.corpus.text.encodings import guess_encoding
from lilliput.errors import CorpusError

TEXTS = {
    "Russian": "Старик вышел к морю рано утром. Ветер дул с берега, и лодка тихо качалась у причала. "
    "Сегодня будет рыба, сказал он мальчику, и они засмеялись. Потом они долго молчали и смотрели на воду. ",
    "Bulgarian": "Старецът излезе край морето рано сутринта. Вятърът духаше от брега и лодката тихо се люлееше. "
    "Днес ще има риба, каза той на момчето, и двамата се засмяха. После дълго мълчаха и гледаха водата. ",
    "Ukrainian": "Старий вийшов до моря рано вранці. Вітер віяв з берега, і човен тихо гойдався біля причалу. "
    "Сьогодні буде риба, сказав він хлопцеві, і вони засміялися. Потім вони довго мовчали й дивилися на воду. ",
    "Polish": "Stary człowiek wyszedł nad morze wcześnie rano. Wiatr wiał od brzegu, a łódź cicho kołysała się. "
    "Dziś będzie ryba, powiedział do chłopca, i roześmiali się. Potem długo milczeli i patrzyli na wodę. ",
    "Czech": "Starý muž vyšel k moři brzy ráno. Vítr vál od břehu a loďka se tiše houpala u mola. Dnes bude ryba, "
    "řekl chlapci a oba se zasmáli. Potom dlouho mlčeli a dívali se na vodu, která byla ještě šedá. ",
    "Hungarian": "Az öregember kora reggel kiment a tengerhez. A szél a part felől fújt, és a csónak csendesen "
    "ringott. Ma lesz hal, mondta a fiúnak, és mindketten nevettek. Őszi idő volt, hűvös, és nézték a vizet. ",
    "Greek": "Ο γέρος βγήκε στη θάλασσα νωρίς το πρωί. Ο άνεμος φυσούσε από τη στεριά και η βάρκα κουνιόταν ήσυχα. "
    "Σήμερα θα έχει ψάρια, είπε στο αγόρι, και γέλασαν. Ύστερα έμειναν σιωπηλοί και κοίταζαν το νερό. ",
    "Arabic": "خرج الرجل العجوز إلى البحر في الصباح الباكر. كانت الريح تهب من الشاطئ وكان القارب يتمايل بهدوء. "
    "قال للصبي اليوم سيكون هناك سمك، فضحكا معا. ثم سكتا طويلا وهما ينظران إلى الماء. ",
    "Korean": "노인은 아침 일찍 바다로 나갔다. 바람은 뭍에서 불어오고 배는 부두에서 조용히 흔들렸다. "
    "오늘은 고기가 있을 거야, 하고 그가 소년에게 말하자 둘은 웃었다. 그 뒤로 그들은 말없이 물을 바라보았다. ",
    "Japanese": "老人は朝早く海に出た。風は岸から吹き、舟は桟橋のそばで静かに揺れていた。今日は魚がいるよ、"
    "と彼は少年に言い、二人は笑った。それから二人は長いあいだ黙って水を見ていた。",
    "Chinese": "老人清早走到海邊。風從岸上吹來，小船在碼頭旁靜靜地搖晃。他對男孩說，今天會有魚的，兩個人都笑了。"
    "後來他們很久沒有說話，只是看著水面，聽著遠處的鐘聲。",
    "French": "Le vieil homme sortit tôt vers la mer. Le vent soufflait de la côte, et la barque se balançait là. "
    "Aujourd'hui il y aura du poisson, dit-il au garçon, et ils rirent. Puis ils se turent, à regarder l'été. ",
    "German": "Der alte Mann ging früh am Morgen ans Meer. Der Wind blies vom Ufer, und das Boot lag an der Brücke. "
    "Heute gibt es Fische, sagte er zu dem Jungen. Später schwiegen sie und blickten über das große Wasser. ",
    "Spanish": "El viejo salió al mar por la mañana temprano. El viento soplaba y la barca se mecía junto al muelle. "
    "Hoy habrá peces, le dijo al niño, y se rieron. Después miraron el agua; ¿quién sabe qué vendrá mañana? ",
}
ENCODED = {
    "koi8_r": ("Russian", "Bulgarian"),
    "cp1251": ("Russian", "Bulgarian", "Ukrainian"),
    "iso8859_5": ("Russian", "Bulgarian", "Ukrainian"),
    "iso8859_2": ("Polish", "Czech", "Hungarian"),
    "cp1250": ("Polish", "Czech", "Hungarian"),
    "iso8859_7": ("Greek",),
    "cp1256": ("Arabic",),
    "euc_kr": ("Korean",),
    "euc_jp": ("Japanese",),
    "shift_jis": ("Japanese",),
    "big5": ("Chinese",),
    "cp1252": ("French", "German", "Spanish"),
}
LENGTHS = [15 * 2 ** (step / 2.5) for step in range(20)]  # from 15 to 2,900 characters
CASES = [(codec, language) for codec, languages in ENCODED.items() for language in languages]


@pytest.mark.parametrize(("codec", "language"), CASES)
def test_a_text_is_read_rightly_or_with_doubt(codec: str, language: str) -> None:
    for number, length in enumerate(LENGTHS):
        start = 7 * number
        text = (TEXTS[language] * 20)[start : start + round(length)]
        data = text.encode(codec)
        if data.isascii():
            continue
        decoded = decode(data, "x")
        if decoded.text == text:
            assert len(text) < 400 or "may be in" not in decoded.notes[0], length
        else:
            assert len(text) < 200, length
            assert "may be in" in decoded.notes[0], length


@pytest.mark.parametrize("data", [bytes(range(128, 256)) * 4, b"\xff\xfe\xfd" * 50])
def test_what_is_no_text_has_no_encoding(data: bytes) -> None:
    assert guess_encoding(data) is None


def test_the_encoding_and_the_first_line_are_told(tmp_path) -> None:
    path = tmp_path / "sea.txt"
    path.write_bytes(("Sea\n" + TEXTS["Russian"] * 9).encode("koi8-r"))
    notes = read_files([path]).notes
    assert notes[0].startswith("read sea.txt as KOI8-R, LF, ")
    assert notes[1] == 'sea.txt, as read: "Старик вышел к морю рано утром. Ветер дул с берега, и лодка ..."'
    path.write_bytes("Őszi eső. ".encode("iso8859-2"))
    notes = read_files([path]).notes
    assert "may be in" in notes[1]
    assert "choose with --encoding NAME" in notes[1]


def test_an_encoding_that_is_named_is_not_questioned(tmp_path) -> None:
    path = tmp_path / "rain.txt"
    path.write_bytes("Õszi esõ. ".encode("cp1252") * 30)
    read = read_files([path], ReadSettings(encoding="ISO-8859-2"))
    assert read.text.startswith("Őszi eső. ")
    assert read.notes == ("read rain.txt as ISO-8859-2, one line, 300 bytes",)
    large = open_large([path], settings=ReadSettings(encoding="iso8859-2"))
    assert "".join(large.pieces()) == read.text
    assert survey(large).notes == read.notes
    with pytest.raises(CorpusError, match=r"rain\.txt is not in UTF-8 \(at byte 0\): name another with --encoding"):
        read_files([path], ReadSettings(encoding="utf8"))
    with pytest.raises(CorpusError, match="begins as UTF-8 and is invalid at byte 4: name another"):
        list(TextDecoder("x", "utf-8").decode(iter([b"word", b"\xff word"])))


@pytest.mark.parametrize("name", ["klingon", "rot13", "base64", "a\x00b"])
def test_an_encoding_that_does_not_exist(name: str) -> None:
    with pytest.raises(ValueError, match="unknown encoding"):
        ReadSettings(encoding=name)


@pytest.mark.parametrize(
    ("codec", "language"), [("shift_jis", "Japanese"), ("gb18030", "Chinese"), ("big5", "Chinese")]
)
@pytest.mark.parametrize("ends", ["", "\n"])
def test_long_lines_are_cut_within_no_character(codec: str, language: str, ends: str) -> None:
    text = "a" + TEXTS[language] * 600 + ends
    data = text.encode(codec)
    assert len(data) > 1 << 16
    decoded = decode(data, "x")
    assert decoded.text == text
    assert decoded.notes[0].startswith(f'x, as read: "a{TEXTS[language][:59]} ...')
    decoder = TextDecoder("x")
    assert "".join(decoder.decode(iter([data[:70_001], data[70_001:]]))) == text
    assert decoder.encoding == decoded.encoding


def test_many_files_are_told_in_a_few_lines(tmp_path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.txt").write_bytes(TEXTS["French"].encode("cp1252"))
    notes = read_files([tmp_path]).notes
    assert notes[0].startswith("read 12 files as Latin-1 (cp1252), one line")
    assert len(notes) == 10
    assert notes[-1] == "4 more such lines, about other files, are not shown"


def test_broken_bytes_of_a_guessed_encoding_are_counted() -> None:
    decoded = decode((TEXTS["Japanese"] + "\n").encode("shift_jis") * 40 + b"\x81\n", "x")
    assert decoded.encoding == "Shift-JIS, 1 broken bytes replaced by U+FFFD"
    assert decoded.text.startswith(TEXTS["Japanese"])
