"""Base class of displays that show examples, as images or as tables."""

import inspect
from numbers import Integral

from skdatamodels.plotting._example_images import are_images
from skdatamodels.plotting._example_tables import draw_tables


class ExamplesDisplay:
    """Base class of displays with rows of images, or tables.

    A subclass has four methods:

    - ``_choose`` checks the parameters and finds the examples to show;
    - ``_train`` returns the examples that decide between images and tables;
    - ``_draw_images`` draws the examples as images;
    - ``_contents`` returns the text of their tables.

    Parameters
    ----------
    image_shape : tuple of int or None
        Shape of an image, if the examples are flat rows of pixels.
    n_columns : int
        Number of columns that a table shows.
    feature_names : sequence of str or None
        Names of the columns of an array.
    """

    def __init__(self, image_shape, n_columns, feature_names):
        self.image_shape = image_shape
        self.n_columns = n_columns
        self.feature_names = feature_names

    @classmethod
    def _drawn(cls, *data, **params):
        """Make the display and draw it, with keywords of the class and of `plot`."""
        own = params.keys() & inspect.signature(cls).parameters.keys()
        display = cls(*data, **{name: params.pop(name) for name in own})
        return display.plot(**params)

    def plot(self, figure=None, *, cmap="gray_r", image_kw=None, text_kw=None):
        """Draw the images, or the tables.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, default=None
            An empty figure to draw in. By default, a new one is made.
        cmap : str or Colormap, default="gray_r"
            Colormap of images with one channel.
        image_kw : dict, default=None
            Keywords of matplotlib's `imshow`.
        text_kw : dict, default=None
            Keywords of matplotlib's `Text`, for titles of images or cells of tables.

        Returns
        -------
        self : display
            The display itself.
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
