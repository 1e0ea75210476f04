import pandas as pd
import pytest

from lib.files import InputError
from lib.report.nights import plot_nights


def test_one_panel_a_quantity_and_a_line_an_earthquake():
    index = pd.date_range("2011-03-01", periods=10)
    frame = pd.DataFrame({"H": range(10), "Z": range(10)}, index)
    fig = plot_nights({"ratio": frame["H"], "D": frame}, [pd.Timestamp("2011-03-05")])
    assert [ax.get_ylabel() for ax in fig.axes] == ["ratio", "D"]
    assert [len(ax.lines) for ax in fig.axes] == [2, 3]
    assert [text.get_text() for text in fig.axes[1].get_legend().get_texts()] == ["H", "Z"]


@pytest.mark.parametrize("panels", [{}, {"ratio": pd.Series([1.0, 2.0])}])
def test_other_panels_are_refused(panels):
    with pytest.raises(InputError, match="dates"):
        plot_nights(panels)
