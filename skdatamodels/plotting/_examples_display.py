"""What displays of examples share: images where they are images, or else tables."""

from numbers import Integral

from skdatamodels.plotting._example_images import are_images
from skdatamodels.plotting._example_tables import draw_tables


class ExamplesDisplay:
    """Base of displays with a row of images, or a table, for each thing shown.

    A subclass has `image_shape` and `n_columns`, and four methods: ``_choose`` checks
    what was given and finds the examples to show, ``_train`` are those whose form
    decides, ``_draw_images`` draws them and ``_contents`` writes them as tables.
    """

    def plot(self, figure=None, *, cmap="gray_r", image_kw=None, text_kw=None):
        """Draw the images, or the tables.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, default=None
            An empty one to draw in; a new one by default.
        cmap : str or Colormap, default="gray_r"
            For images of one channel.
        image_kw : dict, default=None
            Keywords of matplotlib's `imshow`.
        text_kw : dict, default=None
            Keywords of matplotlib's `Text`, for titles of images or cells of tables.

        Returns
        -------
        self : display
        """
        if not isinstance(self.n_columns, Integral) or self.n_columns < 1:
            raise ValueError(
                f"n_columns must be an integer from 1, got {self.n_columns!r}."
            )
        self._choose()
        self.cells_, self.columns_ = [], []
        if are_images(self._train(), self.image_shape):
            self._draw_images(figure, {"cmap": cmap} | (image_kw or {}), text_kw)
            return self
        contents = self._contents()
        self.columns_ = [content.columns for content in contents]
        self.figure_, self.axes_, self.cells_ = draw_tables(figure, contents, text_kw)
        return self
