"""The studies: one frozen dataclass each, with the published value and its source beside every field.

A study says everything that happens between a record and a score. Published values are the defaults;
`lib.config` holds the profiles that make a study smaller. A further study is one more entry in `STUDIES`.

Source marks: S0, S1 seeds 000 and 001; R1, R2, R3 the public repositories behind them
(`ctrd3r/convnext2`@dd103d5, `sumawanbmkg/EfficientNet`@ba3fba1, `sumawanbmkg/earthquake-precursor-cnn`
@d6ddad5); [D] a decision of this compendium.
"""

from dataclasses import dataclass, field

MAGNITUDE_CLASSES = ("Normal", "Moderate", "Medium", "Large")        # S1: -, 4-4.9, 5-5.9, >= 6
AZIMUTH_CLASSES = ("Normal", "N", "NE", "E", "SE", "S", "SW", "W", "NW")   # S1: sectors of 45 degrees
CLASSES = {"magnitude": MAGNITUDE_CLASSES, "azimuth": AZIMUTH_CLASSES}     # Normal is class 0 of both
N_CLASSES = {target: len(names) for target, names in CLASSES.items()}
COMPONENTS = "HDZ"                                                   # x north, y east, z down


@dataclass(frozen=True)
class WorldSpec:
    """The synthetic Earth (validity.md C); ignored when real records are given."""

    start: str = "2018-01-01"         # S1: 2018-2023
    years: float = 6.0
    snr: float = 2.0                  # planted amplitude in units of the world's sigma0; 0 = null [D]
    source: str = "vmd"               # vmd | hed | scalar (C8)
    amplitude_law: str = "flat"       # flat | hattori | dobrovolsky | physical (C8)
    clustering: str = "poisson"       # poisson | etas (C7)
    band_hz: tuple[float, float] = (0.01, 0.05)   # of the planted source (C8)
    variant: str = "afternoon"        # of the planted ionospheric anomaly (C10)


@dataclass(frozen=True)
class WindowSpec:
    """Which stretches of record become windows, and how quiet ones are chosen."""

    window_s: int = 21600             # S1: 6 h (R1, R2 code: 1 h)
    sampling_s: float = 1.0           # S1: 1 Hz
    design: str = "fair_ulf"          # fair_ulf | published_ulf (1 h) | operational | daily | observatory |
    #                                   published_tec | fair_tec (C9) [D]
    n_windows: int = 1972             # S1
    lead_days: tuple[float, ...] = (1, 3, 5)   # C9 [D]
    stations_per_event: int = 3       # C9 [D]
    radius_km: float = 250.0          # C9 [D]; R1: 500
    depth_km: float = 100.0           # R1 METHODOLOGY: < 100 km
    hour_utc: int = 14                # start of the 6 h local-night window, 21-23 LT over the network [D]
    min_magnitude: float = 4.5        # completeness of the synthetic catalogue; S1: 4.0
    controls: str = "matched"         # of daily and observatory: matched in Kp, or calm only (D4) [D]
    n_storm: int = 0                  # quiet windows in storms that are tested on, never trained on (D4)
    n_storm_cases: int = 0            # windows before earthquakes in storms, likewise


@dataclass(frozen=True)
class STFTSpec:
    """Short-time Fourier transform and image size (lib.stft)."""

    nperseg: int = 256                # R1 METHODOLOGY:64-78
    noverlap: int = 128               # R1
    highpass_hz: float | None = 0.001  # R1's 0.001-0.5 Hz band: the upper edge is the Nyquist already (B2)
    freq_hz: tuple[float, float] = (0.0, 0.5)   # README:154; R2's images show 0.010-0.045
    size: tuple[int, int] = (224, 224)          # (frequency, time) pixels; S1
    phase: bool = False               # adds Re, Im of the H Z* and D Z* cross-spectra as channels [D]


@dataclass(frozen=True)
class CWTSpec:
    """Continuous wavelet transform of one window, averaged onto equal columns (lib.cwt)."""

    omega0: float = 6.0               # Morlet; validity.md B3
    n_scales: int = 128               # S2 code: 128 scales
    freq_hz: tuple[float, float] = (0.001, 0.1)   # S2 code names 22-100 mHz [D]
    n_times: int = 1440               # S2 code: minutes of a day
    highpass_hz: float | None = None  # the wavelets are band-pass filters already [D]
    rectify: bool = True              # power over scale (Liu et al. 2007; B3)


@dataclass(frozen=True)
class TECSpec:
    """Six-channel image of total electron content (lib.quartiles, lib.tec_images)."""

    days: int = 30                    # S3: 30 days x 24 hours
    reference_days: int = 15          # S3: 15-day median
    k: float = 1.5                    # S3 does not print k; 1.5 is usual in the literature (systems.md P7)
    polarity: str = "binary"          # binary | amplitude (B11)
    max_gap: float = 0.1              # share of hours without value above which a window is dropped [D]
    latitude: float = 36.5            # S3
    longitude: float = 142.0          # S3


@dataclass(frozen=True)
class SeriesSpec:
    """Windows of samples without a transform (lib.normalise)."""

    normalise: str = "max_bz"         # max_bz (S4) | amplitude: median removed, fixed scale in nT
    highpass_hz: float | None = None  # S4's 0.02 Hz is above the Nyquist frequency of one-minute values


@dataclass(frozen=True)
class NetworkSpec:
    """Which network: its family, and what shapes it."""

    family: str = "multitask"         # multitask (R1's heads) | crnn (S2) | image (S3) | table2 (S4)
    backbone: str = "convnext"        # a key of lib.backbones.BACKBONES or any timm name
    weights: str | None = None        # None | "imagenet" | path of a safetensors file
    hidden: int = 512                 # R1: LN - Dropout .5 - Linear 512 - GELU - Dropout .25 - Linear
    dropout: float = 0.5              # R1
    depth: int = 3                    # convolutions of `table2` (S4)
    light: bool = False               # the variant small enough for two cores [D]


@dataclass(frozen=True)
class LossSpec:
    """What is minimised (lib.objectives)."""

    kind: str = "balanced"            # balanced: class-weighted cross-entropy (S1) | plain | focal (S2)
    focal_gamma: float = 2.0          # S2 code; with kind focal
    azimuth_weight: float = 0.5       # S1: L = L_mag + 0.5 L_az
    magnitude_weight: float = 0.1     # S2 code, of `event_magnitude`
    direction: str = "von_mises"      # sincos | cosine | von_mises (S2) | vm | axial (validity.md D-losses)
    direction_weight: float = 0.05    # S2 code
    storm: str | None = None          # gpl | hinge | all | decorr | adv | group (D-losses)
    storm_weight: float = 4.0         # S2 code multiplies quiet storm windows by 5, which is 1 + 4


@dataclass(frozen=True)
class TrainingSpec:
    """Optimisation, as S1 prints it."""

    epochs: int = 50                  # S1
    batch_size: int = 32              # S1
    learning_rate: float = 1e-4       # S1
    weight_decay: float = 0.05        # S1
    warmup_epochs: int = 5            # S1, linear, then cosine; stepped per step (R1 stepped it per epoch)
    min_learning_rate: float = 1e-6   # R1 configs/convnext_tiny.yaml
    clip: float = 1.0                 # R1
    patience: int = 10                # R1; here on an inner split by event, never on the test fold
    inner_fraction: float = 0.2       # share of the training groups used for selection (A4) [D]
    optimizer: str = "adamw"          # adamw | adam | adagrad | adamax | sgd | rmsprop
    schedule: str = "cosine"          # cosine (with warm-up) | onecycle | constant
    augmentation: str | None = "physical"   # None | physical | published | mixup | cutmix | both | consistent
    autocast: str | None = None       # None | "bfloat16"
    channels_last: bool = False
    threads: int | None = None        # torch threads inside one fold; None leaves torch's own choice


@dataclass(frozen=True)
class EvaluationSpec:
    """Protocols and statistics."""

    protocol: str = "P2"              # true leave-one-event-out (validity.md A3) [D]
    folds: int | None = 10            # S1; None holds out one group at a time
    embargo_days: float = 30.0        # of P5 to P7: S2 30, TEC 45 (A3.1)
    bootstrap: int = 2000             # A6
    permutations: int = 999           # A7 asks for >= 199


@dataclass(frozen=True)
class Study:
    """Everything between a record and a score."""

    name: str
    title: str
    source: str
    profile: str = "full"
    seed: int = 42                    # R1
    targets: tuple[str, ...] = ("magnitude", "azimuth")
    world: WorldSpec = field(default_factory=WorldSpec)
    windows: WindowSpec = field(default_factory=WindowSpec)
    stft: STFTSpec = field(default_factory=STFTSpec)
    cwt: CWTSpec | None = None        # one of these three replaces the STFT
    tec: TECSpec | None = None
    series: SeriesSpec | None = None
    network: NetworkSpec = field(default_factory=NetworkSpec)
    loss: LossSpec = field(default_factory=LossSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)


STUDIES = {
    "convnext": Study(
        name="convnext",
        title="ConvNeXt on ULF spectrograms",
        source="seeds 000 and 001; ctrd3r/convnext2@dd103d5",
    ),
    "crnn": Study(
        name="crnn",
        title="Multi-task CRNN on wavelet tensors",
        source="seed 002; sumawan-bmkg/MTL-CRNN-Geomagnetic-Precursor@ea0a0fb",
        targets=("event", "event_magnitude", "direction"),
        windows=WindowSpec(window_s=86400, hour_utc=0, design="daily", n_windows=1623),   # S2: daily, 1623
        cwt=CWTSpec(),
        network=NetworkSpec(family="crnn", backbone="efficientnet_b1", hidden=128, dropout=0.3),
        loss=LossSpec(kind="focal", storm="gpl"),
        training=TrainingSpec(epochs=50, learning_rate=1e-3, weight_decay=1e-4, warmup_epochs=0,   # S2 code
                              schedule="onecycle", patience=50, augmentation=None),
        evaluation=EvaluationSpec(protocol="P6", folds=4),     # S2: chronological, embargo of 30 days
    ),
    "tec": Study(
        name="tec",
        title="EfficientNetV2 on six-channel images of electron content",
        source="seed 003",
        targets=("event",),
        world=WorldSpec(start="1999-01-01", years=23.0, snr=1.0, clustering="etas"),          # S3: 1999-2021
        windows=WindowSpec(window_s=30 * 86400, sampling_s=3600.0, design="published_tec", n_windows=2356,
                           lead_days=(0,), radius_km=1000.0, depth_km=100.0, min_magnitude=5.0),
        tec=TECSpec(),
        network=NetworkSpec(family="image", backbone="efficientnetv2", dropout=0.5),
        loss=LossSpec(kind="plain"),
        training=TrainingSpec(epochs=80, learning_rate=1e-4, weight_decay=0.0, warmup_epochs=0,      # S3
                              optimizer="adam", schedule="constant", patience=80, augmentation=None),
        evaluation=EvaluationSpec(protocol="P5", folds=5, embargo_days=45.0),
    ),
    "observatory": Study(
        name="observatory",
        title="A small CNN on one-minute records",
        source="seed 004; Petrescu and Moldovan (2022)",
        targets=("event",),
        world=WorldSpec(band_hz=(0.001, 0.008)),     # below the Nyquist frequency of one-minute values [D]
        windows=WindowSpec(window_s=7 * 86400, sampling_s=60.0, design="observatory", n_windows=582,
                           lead_days=(0,), stations_per_event=1, radius_km=200.0, depth_km=30.0,
                           min_magnitude=4.5, controls="calm"),
        series=SeriesSpec(),
        network=NetworkSpec(family="table2", backbone="text"),
        loss=LossSpec(kind="plain"),
        training=TrainingSpec(epochs=50, learning_rate=1e-3, weight_decay=0.0, warmup_epochs=0,
                              optimizer="adam", schedule="constant", patience=50, augmentation=None),
        evaluation=EvaluationSpec(protocol="P5", folds=5),
    ),
}
