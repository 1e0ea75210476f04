"""Folders of published pictures: what is read, what is stored, what comes back."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lib import audit, gradcam, published, published_export, published_layout, stft, train
from lib.dataset import open_dataset
from lib.files import InputError
from lib.fitted import as_input
from lib.published_table import METADATA, read_layout

HEADER = ("station,date,hour,azimuth,magnitude,azimuth_class,magnitude_class,h_mean,samples,spectrogram_file,"
          "dataset_source,unified_path,augmentation_type,augmentation_id,filename,kp_index")
QUIET = "TRD,2021-01-01,12.0,Normal,Normal,Normal,Normal,40788.2,3600.0,{0},quiet_days.csv,{1}/{0},,,{0},"
EVENT = "SCN,2022-08-04,10.0,265.0,5.6,W,Medium,,,{0},augmented,{1}/{0},augmented,{2},{0},4.7"
TINY = {"stft.size": (16, 24), "training.epochs": 1, "training.inner_fraction": 0.4}


def picture(folder, name, seed=0, size=(24, 16), mode="RGB"):
    """Write a picture of random bytes and return its pixels (h, w, 3)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path)
    return np.asarray(Image.open(path).convert("RGB"))


def published_folder(folder, lines=()):
    """Write the five lines of a folder as the repositories have it, and more."""
    names = ["TRD_20210101_H12_normal_3comp_spec.png", "SCN_20220804_H10_3comp_spec.png",
             "SCN_20220804_H10_aug1_3comp_spec.png", "SCN_20220804_H10_aug3_3comp_spec.png"]
    pixels = [picture(folder, f"spectrograms/{name}", i) for i, name in enumerate(names)]
    rows = [HEADER, QUIET.format(names[0], "spectrograms"), EVENT.format(names[1], "dataset/old", ""),
            EVENT.format(names[2], r"D:\data\aug", "1.0"), EVENT.format(names[3], "spectrograms", "3.0"),
            *lines]
    (folder / METADATA).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return pixels


def many(folder, events=6, quiet=6):
    """Write a folder from which a network can be trained: four windows an event, two a quiet day."""
    rows, rng = [HEADER], np.random.default_rng(5)
    for e in range(events):
        sector, magnitude = [("N", 0.0), ("E", 90.0)][e % 2], [4.5, 5.5, 6.5][e % 3]
        name = ["Moderate", "Medium", "Large"][e % 3]
        for k in range(4):
            file = f"SCN_2022{e + 1:02d}04_H{3 * k:02d}_3comp_spec.png"
            picture(folder, file, rng.integers(1e9))
            rows.append(f"SCN,2022-{e + 1:02d}-04,{3 * k},{sector[1]},{magnitude},{sector[0]},{name},,,,made,"
                        f",,,{file},")
    for q in range(quiet):
        for k in range(2):
            file = f"TRD_2021{q + 1:02d}09_H{k:02d}_normal_3comp_spec.png"
            picture(folder, file, rng.integers(1e9))
            rows.append(f"TRD,2021-{q + 1:02d}-09,{k},Normal,Normal,Normal,Normal,,,,made,,,,{file},")
    (folder / METADATA).write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_the_published_table_becomes_a_windows_table(tmp_path):
    """Times, groups, parents and numbers of the columns that the repositories write."""
    published_folder(tmp_path)
    table = read_layout(tmp_path)
    assert table.window_id.tolist()[0] == "TRD_20210101_H12_normal_3comp_spec"
    assert table.start.tolist() == [pd.Timestamp("2021-01-01T12:00"), *[pd.Timestamp("2022-08-04T10:00")] * 3]
    assert (table.end - table.start == pd.Timedelta(hours=1)).all() and table.start.dtype == "datetime64[ns]"
    assert table.event_id.tolist() == ["", *["SCN-20220804"] * 3]
    assert table.block_id.tolist() == ["quiet-TRD-20210101", "", "", ""]
    assert table.parent_id.tolist() == [table.window_id[0], *["SCN_20220804_H10_3comp_spec"] * 3]
    assert table.magnitude.tolist()[1:] == [5.6] * 3 and np.isnan(table.magnitude[0])
    assert table.azimuth_class.tolist() == ["Normal", "W", "W", "W"] and table.kp_max[1] == 4.7
    assert table.file[2] == "spectrograms/SCN_20220804_H10_aug1_3comp_spec.png"
    assert table.pipeline.tolist() == ["quiet_days.csv", "augmented", "augmented", "augmented"]


@pytest.mark.parametrize(("names", "event"), [
    ("image_path,event_id,event_date", "e7"), ("unified_path,earthquake_id,date", "e7"),
    ("filename,event_id,date", "e7"), ("spectrogram_file,other,date", "SCN-20200331")])
def test_other_names_of_the_columns_are_known(tmp_path, names, event):
    picture(tmp_path, "a.png")
    (tmp_path / METADATA).write_text(f"{names},station,mag_class,azi_class\na.png,e7,20200331,scn,large,ne\n")
    row = read_layout(tmp_path).iloc[0]
    assert (row.event_id, row.start, row.station) == (event, pd.Timestamp("2020-03-31"), "SCN")
    assert (row.magnitude_class, row.azimuth_class, row.window_id) == ("Large", "NE", "a")


def test_a_copy_that_only_a_column_marks_finds_its_original(tmp_path):
    for name in ("one.png", "two.png"):
        picture(tmp_path, name)
    (tmp_path / METADATA).write_text(
        "filename,station,date,hour,magnitude_class,augmentation_id\none.png,SCN,2020-01-01,3,Large,\n"
        "two.png,SCN,2020-01-01,3,Large,1.0\n")
    assert read_layout(tmp_path).parent_id.tolist() == ["one", "one"]


def test_class_folders_become_a_table(tmp_path):
    """Station, date and hour from the name, the class from the folder; no azimuth class is made up."""
    picture(tmp_path, "Medium/SCN_20220704_H13_spec.png")
    picture(tmp_path, "normal/TRD_20200110.png")
    table = read_layout(tmp_path)
    assert table.magnitude_class.tolist() == ["Medium", "Normal"] and "azimuth_class" not in table
    assert table.start.tolist() == [pd.Timestamp("2022-07-04T13:00"), pd.Timestamp("2020-01-10")]
    assert table.event_id.tolist() == ["SCN-20220704", ""]
    picture(tmp_path, "SW/SCN_20220704_H14.png")
    with pytest.raises(InputError, match=r"folder of the picture: found 'Medium'.*all azimuths"):
        read_layout(tmp_path)


@pytest.mark.parametrize(("line", "word"), [
    ("SCN,2022-13-04,1,,5,W,Medium,,,,,,,,x.png,", "line 6, column date: found '2022-13-04'"),
    ("SCN,2022-12-04,24,,5,W,Medium,,,,,,,,x.png,", "line 6, column hour: found '24'"),
    ("SCN,2022-12-04,1,,5,W,Huge,,,,,,,,x.png,", "line 6, column magnitude_class: found 'Huge'; .*Medium"),
    ("SCN,2022-12-04,1,,5,X,Medium,,,,,,,,x.png,", "line 6, column azimuth_class: found 'X'"),
    ("SCN,2022-12-04,1,,5,W,Normal,,,,,,,,x.png,", "column azimuth_class: found 'W'; .*in both"),
    ("SCN,2022-12-04,1,,five,W,Medium,,,,,,,,x.png,", "column magnitude: found 'five'"),
    ("SCN,2022-12-04,1,400,5,W,Medium,,,,,,,,x.png,", "column azimuth: found '400'; .*0 to 360"),
    ("SCN,2022-12-04,1,,5,W,Medium,,,,,,,,y.png,", "column filename: found 'y.png'"),
    ("SCN,2022-12-04,1,,5,W,Medium,,,,,../../x.txt,,,,", "column unified_path: found '../../x.txt'"),
    (",2022-12-04,1,,5,W,Medium,,,,,,,,x.png,", "column station"),
    ("SCN,2022-12-04,1,,5,,,,,,,,,,x.png,", "a magnitude class or an azimuth class"),
    ("SCN,2022-12-04,1", "line 6: found .another number of fields.; accepted: 16"),
    ("TRD,2021-01-01,1,,,,Normal,,,,,,,,TRD_20210101_H12_normal_3comp_spec.png,",
     "line 6, column file name: found 'TRD_20210101_H12_normal_3comp_spec'.*each picture once"),
])
def test_a_bad_line_is_named(tmp_path, line, word):
    picture(tmp_path, "x.png")
    published_folder(tmp_path, [line])
    with pytest.raises(InputError, match=f"{METADATA}, {word}" if word.startswith("line") else word) as found:
        read_layout(tmp_path)
    assert METADATA in str(found.value)


def test_nothing_outside_the_folder_is_read(tmp_path):
    """Neither absolute paths, nor two dots, nor links lead out of the folder."""
    picture(tmp_path, "secret.png")
    inside = tmp_path / "in"
    picture(inside, "a.png")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    for path in ("../secret.png", tmp_path / "secret.png", "link.png"):
        (inside / METADATA).write_text(f"filename,station,date,mag_class\n{path},SCN,2020-01-01,Large\n")
        with pytest.raises(InputError, match="line 2, column filename"):
            read_layout(inside)
    with pytest.raises(InputError, match="not there"):
        read_layout(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="pictures: found 0"):
        read_layout(tmp_path / "empty")


def test_pixels_become_shares_bottom_row_first(tmp_path):
    """Every byte comes through float16 exactly; grey, palette and alpha pictures are colours too."""
    pixels = picture(tmp_path, "a.png")
    image = published_layout.read_png(tmp_path / "a.png")
    assert image.shape == (3, 16, 24) and image.dtype == np.float16
    np.testing.assert_array_equal(np.round(image.astype(float) * 255), pixels[::-1].transpose(2, 0, 1))
    for mode in ("L", "P", "RGBA", "LA"):
        pixels = picture(tmp_path, "m.png", mode=mode)
        image = published_layout.read_png(tmp_path / "m.png")
        np.testing.assert_array_equal(np.round(image.astype(float) * 255), pixels[::-1].transpose(2, 0, 1))


def test_a_picture_of_another_size_is_resized(tmp_path):
    """Halved, a pixel is near the mean of its block: a picture of 4 x 4 blocks keeps their values inside."""
    blocks = np.kron(np.arange(0, 240, 15).reshape(4, 4), np.ones((16, 16))).astype(np.uint8)
    Image.fromarray(np.stack([blocks] * 3, -1)).save(tmp_path / "b.png")
    image = published_layout.read_png(tmp_path / "b.png", (32, 32))[0, ::-1]
    np.testing.assert_allclose(image[4::8, 4::8], np.arange(0, 240, 15).reshape(4, 4) / 255, atol=2e-3)


def test_what_is_no_picture_is_refused(tmp_path):
    """Text, a JPEG, 16 bit, a bomb, a cut file and a flipped byte each end in one clear error."""
    path = tmp_path / "a.png"
    picture(tmp_path, "a.png")
    whole = path.read_bytes()
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG")
    deep = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(deep, "PNG")
    bomb = whole[:16] + (10**6).to_bytes(4, "big") * 2 + whole[24:]
    flipped = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    for content in (b"", b"text", jpeg.getvalue(), deep.getvalue(), bomb, whole[:len(whole) // 2], flipped):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.png"):
            published_layout.read_png(path)
    with pytest.raises(InputError, match="absent.png"):
        published_layout.read_png(tmp_path / "absent.png")


def test_a_folder_becomes_a_dataset_and_a_folder_again(tmp_path, monkeypatch):
    """Table and pixels survive both ways, whatever the batch and the threads; the bytes are the same."""
    pixels = published_folder(tmp_path / "in")
    study = published_layout.layout_study("rgb", "smoke", overrides=TINY)
    one = published_layout.to_dataset(tmp_path / "in", tmp_path / "one.h5", study, threads=1)
    with open_dataset(one) as opened:
        assert opened.channels == ("H", "D", "Z") and opened.units == "share of full brightness"
        assert 0.010 < opened.frequency_hz[0] < opened.frequency_hz[-1] < 0.045
        assert opened.time_s[[0, -1]].tolist() == [75, 3525]
        for image, picture_ in zip(opened.read(slice(None)), pixels, strict=True):
            np.testing.assert_array_equal(np.round(image.astype(float) * 255),
                                          picture_[::-1].transpose(2, 0, 1))
        published_export.export_layout(opened, tmp_path / "out")
        with pytest.raises(InputError, match="nothing is overwritten"):
            published_export.export_layout(opened, tmp_path / "out")
        first = opened.windows
    monkeypatch.setattr(published_layout, "_BATCH", 3)
    again = published_layout.to_dataset(tmp_path / "out", tmp_path / "two.h5", study, threads=3)
    with open_dataset(one) as a, open_dataset(again) as b:
        np.testing.assert_array_equal(a.read(slice(None)), b.read(slice(None)))
        pd.testing.assert_frame_equal(first.drop(columns="file"), b.windows.drop(columns="file"))
    same = published_layout.to_dataset(tmp_path / "in", tmp_path / "same.h5", study)
    assert same.read_bytes() == one.read_bytes()


def test_a_dataset_is_reused_until_a_picture_changes(tmp_path, monkeypatch):
    published_folder(tmp_path)
    study = published_layout.layout_study("panels", "smoke", overrides=TINY)
    path, calls, decode = tmp_path / "d.h5", [], published_layout._decode_into
    monkeypatch.setattr(published_layout, "_decode_into", lambda *a: (calls.append(a), decode(*a)))
    for changed, expected in ((False, 4), (False, 4), (True, 8)):
        if changed:
            picture(tmp_path, "spectrograms/SCN_20220804_H10_3comp_spec.png", 99)
        published_layout.to_dataset(tmp_path, path, study)
        assert len(calls) == expected
    (tmp_path / "spectrograms/SCN_20220804_H10_3comp_spec.png").write_bytes(b"text")
    with pytest.raises(InputError, match="SCN_20220804_H10_3comp_spec.png"):
        published_layout.to_dataset(tmp_path, tmp_path / "new.h5", study)
    assert not (tmp_path / "new.h5").exists()


def test_drawn_spectra_go_out_and_come_in(tmp_path):
    """A dataset of records leaves as the published pictures, which then are a dataset of pictures."""
    from lib import config, dataset
    from tests.test_dataset import make_windows, read
    study = config.load("convnext", "smoke", {"windows.window_s": 1024, "stft.size": (9, 27)})
    path = dataset.build(tmp_path / "d.h5", make_windows(5), read, study)
    with open_dataset(path) as opened:
        images, windows = opened.read(slice(None)).astype(np.float32), opened.windows
        published_export.export_layout(opened, tmp_path / "out", "rgb")
    drawn = published_layout.layout_study("rgb", "smoke", 1024, {"stft.size": (224, 224)})
    back = published_layout.to_dataset(tmp_path / "out", tmp_path / "back.h5", drawn)
    with open_dataset(back) as opened:
        pixels = np.round(opened.read(slice(None)).astype(float) * 255)
        expected = published.render_published(images, "rgb")[:, ::-1].transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(pixels, expected)
        for name in ("window_id", "start", "end", "event_id", "magnitude", "magnitude_class", "kp_max"):
            assert (opened.windows[name].equals(windows[name].astype(opened.windows[name].dtype))), name


def test_rows_of_panels_carry_the_frequency_of_their_panel():
    """A tone of 30 mHz lights the row of each panel whose frequency is nearest, in the picture as drawn."""
    study = published_layout.layout_study("panels", "full")
    t = np.arange(3600)
    tone = np.stack([a * np.sin(2 * np.pi * 0.030 * t) for a in (1, 2, 3)])[None]
    tone += np.random.default_rng(0).normal(0, 1e-3, tone.shape)
    drawn = published.render_published(stft.spectrogram(tone, stft.PRESETS["published"]))[0]
    brightness = np.abs(drawn[::-1].astype(int) - drawn[0, 0]).sum((1, 2))
    level = {tuple(c): i for i, c in enumerate(published.jet_table().tolist())}
    rows = np.array([[level[tuple(p)] for p in row] for row in drawn[::-1, ::16].tolist()]).mean(1)
    frequency = published_layout.form(study).axes["frequency_hz"][0]
    assert len(rows) == len(frequency) == len(brightness) == 224
    for panel in (slice(0, 74), slice(74, 149), slice(149, 224)):
        assert abs(frequency[panel][rows[panel].argmax()] - 0.030) < 0.003


@pytest.mark.slow
def test_pictures_go_through_training_audit_and_maps(tmp_path):
    """The dataset of pictures trains, is audited and explained by the functions for any dataset."""
    many(tmp_path / "in")
    study = published_layout.layout_study("rgb", "smoke", overrides=TINY | {"stft.size": (32, 32)})
    path = published_layout.to_dataset(tmp_path / "in", tmp_path / "d.h5", study)
    table = train.cross_validate(study, path, "P2", keep_weights=True, folder=tmp_path)
    with open_dataset(path) as opened:
        assert sorted(table.window_id.unique()) == sorted(opened.windows.window_id)
        found = audit.audit(opened.windows, opened.read(slice(None)),
                            table[table.target == "magnitude"], label="magnitude_class")
        assert found.sample["windows"] == 36
        trained, stored = train.load_fit(next(tmp_path.rglob("fold_000.safetensors")))
        assert published_layout.is_layout(stored)
        maps = gradcam.class_maps(trained.network, as_input(trained, opened.read([0, 1]), study), "magnitude")
        share, area = gradcam.band_energy_share(maps, opened.frequency_hz, opened.time_s, (0.02, 0.03))
        assert maps.shape == (2, 32, 32) and 0 < area < 1 and len(share) == 2


def test_studies_without_pictures_are_refused(tmp_path):
    from lib import config
    with pytest.raises(InputError, match="layout_study"):
        published_layout.to_dataset(tmp_path, tmp_path / "d.h5", config.load("convnext", "smoke"))
    with pytest.raises(InputError, match="panels, rgb"):
        published_layout.layout_study("jet")
