"""Which labelled images the candidates learn."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ..plugin_bases import TaskSettings
from ..plugins import Choice, register
from ..settings import Field


class Task(TaskSettings):
    """What every task has. Its three parts are disjoint and stratified by class."""

    resolution: int = Field(default=32, ge=8)
    """Side of the images in pixels; other sizes are resized."""
    seed: int = Field(default=0, ge=0)
    """Seed of the split (and of the rendering, where images are rendered)."""
    classes: list[str] | None = None
    """Keep these classes only; null keeps all."""
    n_train: int | None = Field(default=None, ge=1)
    """Training images; null takes what the other parts leave."""
    n_validation: int | None = Field(default=None, ge=1)
    """Images on which the search is rewarded; null takes all that are published as validation images."""
    n_test: int | None = Field(default=None, ge=1)
    """Test images; null takes all that are published as test images."""


@register
class RenderedObjects(Task):
    """Rendered objects of 8 categories on unrelated 1/f backgrounds, in the manner of HvM."""

    code: ClassVar[str] = "tgsage.tasks.readers.rendered"

    source: Literal["rendered"]
    """Selects this layout."""
    n_train: int = Field(default=4000, ge=8)
    """Training images."""
    n_validation: int = Field(default=800, ge=1)
    """Images on which the search is rewarded."""
    n_test: int = Field(default=2000, ge=8)
    """Images that test the winner, once."""
    variation: Literal["low", "medium", "high"] = "high"
    """Range of position, size and pose."""


@register
class Cifar10(Task):
    """CIFAR-10 from its standard python pickles."""

    code: ClassVar[str] = "tgsage.tasks.readers.cifar10"

    source: Literal["cifar10"]
    """Selects this layout."""
    folder: str = "cifar-10-batches-py"
    """Folder of the published files; relative paths are looked for in the data folder."""
    n_validation: int = Field(default=2000, ge=1)
    """Images on which the search is rewarded."""


@register
class Cifar100(Task):
    """CIFAR-100 from its standard python pickles."""

    code: ClassVar[str] = "tgsage.tasks.readers.cifar100"

    source: Literal["cifar100"]
    """Selects this layout."""
    folder: str = "cifar-100-python"
    """Folder of the published files; relative paths are looked for in the data folder."""
    labels: Literal["fine", "coarse"] = "fine"
    """The 100 classes, or the 20 superclasses that hold five of them each."""
    n_validation: int = Field(default=5000, ge=1)
    """Images on which the search is rewarded; split off the training images."""


@register
class TinyImageNet(Task):
    """Tiny ImageNet from its published tree. Published validation images are the test images."""

    code: ClassVar[str] = "tgsage.tasks.readers.tiny_imagenet"

    source: Literal["tiny_imagenet"]
    """Selects this layout."""
    path: str = "tiny-imagenet-200"
    """The published folder, or its zip, which is not unpacked; relative paths are looked for in the data
    folder."""
    resolution: int = Field(default=64, ge=8)
    """Side of the images in pixels; published images have 64."""
    class_names: Literal["wnid", "words"] = "wnid"
    """What classes are called: the WordNet identifier, or the first of the words that ``words.txt`` has for
    it."""
    n_validation: int = Field(default=10000, ge=1)
    """Images on which the search is rewarded; split off the training images."""


@register
class DownsampledImageNet(Task):
    """ImageNet at 64x64, 32x32 or less (Chrabaszcz et al. 2017). Published validation images are the test
    images.
    """

    code: ClassVar[str] = "tgsage.tasks.readers.downsampled_imagenet"

    source: Literal["downsampled_imagenet"]
    """Selects this layout."""
    folder: str = "Imagenet64"
    """Folder of ``train_data_batch_<i>`` and ``val_data``; relative paths are looked for in the data
    folder."""
    files: Literal["pickle", "npz"] = "pickle"
    """Which of the two published versions is there; npz needs less memory to read."""
    batches: int = Field(default=10, ge=1, le=10)
    """How many of the ten training batches are read, from the first on."""
    resolution: int = Field(default=64, ge=8)
    """Side of the images in pixels; other sizes are resized."""
    class_map: str | None = None
    """File in the folder with lines of wnid, label and words (``map_clsloc.txt`` of the ILSVRC development
    kit, by which the authors numbered the classes): classes are called by wnid. Null calls them by their
    published label, from 1 to 1000."""
    classes: list[str | int] | None = None
    """Keep these classes only, each a published label or, with a class map, a wnid; null keeps all."""
    n_validation: int = Field(default=50000, ge=1)
    """Images on which the search is rewarded; split off the training images."""


class OwnImages(Task):
    """What images of the user's own have beside: their shape, and where they came from."""

    fit: Literal["crop", "pad"] = "crop"
    """What becomes of an image that is not square: ``crop`` keeps the square in its middle, ``pad`` puts it
    in the middle of a square of ``padding``. Both before resizing."""
    padding: int = Field(default=128, ge=0, le=255)
    """Grey value around padded images."""
    published_validation: Literal["validation", "test"] = "validation"
    """What the images that come as validation images are used as; ``test`` splits validation off the
    training images, for collections whose test labels are not public."""
    simulated: bool = False
    """Whether the images were rendered or otherwise made up; figures then say so."""


@register
class ImageFolder(OwnImages):
    """A folder of images per class, or a zip of such folders."""

    code: ClassVar[str] = "tgsage.tasks.readers.image_folder"

    source: Literal["image_folder"]
    """Selects this layout."""
    path: str
    """The folder or zip: ``<class>/<image>``, or ``train/<class>/<image>`` with ``val`` or ``validation``,
    and ``test``, beside ``train``. Relative paths are looked for in the data folder."""


@register
class ImageArrays(OwnImages):
    """Images and labels as arrays of an npz or HDF5 file."""

    code: ClassVar[str] = "tgsage.tasks.readers.arrays"

    source: Literal["arrays"]
    """Selects this layout."""
    path: str
    """The file, ``.npz``, ``.h5`` or ``.hdf5``; relative paths are looked for in the data folder."""
    images: str = "images"
    """Name of the images, uint8 (n, height, width) or (n, height, width, 3). With ``{part}`` in it there is
    one array per part, ``train``, ``validation`` (or ``val``) and ``test``, e.g. ``x_{part}``."""
    labels: str = "labels"
    """Name of the labels, (n,) whole numbers or text; ``{part}`` as for images."""
    split: str | None = None
    """Name of an array (n,) of text that says of every image ``train``, ``validation`` (or ``val``) or
    ``test``; null where there is none."""
    class_names: str | None = None
    """Name of an array of text: label i is the class of entry i. Null calls classes by their label."""


@register
class FashionMnist(Task):
    """Fashion-MNIST, MNIST, EMNIST and the like: idx files, packed with gzip or not."""

    code: ClassVar[str] = "tgsage.tasks.readers.fashion_mnist"

    source: Literal["fashion_mnist"]
    """Selects this layout."""
    folder: str = "fashion-mnist"
    """Folder of the four published files; relative paths are looked for in the data folder."""
    train: str = "train"
    """What the names of the two training files begin with, before ``-images-idx3-ubyte``; EMNIST has, e.g.,
    ``emnist-letters-train``."""
    test: str = "t10k"
    """The same of the two files of test images."""
    class_names: list[str] | None = None
    """Names of the classes, in the order of the labels from 0 on; null calls them by their label."""
    transposed: bool = False
    """Whether rows and columns of the published images are exchanged, as those of EMNIST are."""
    n_validation: int = Field(default=5000, ge=1)
    """Images on which the search is rewarded; split off the training images."""


TaskSource = Annotated[TaskSettings, Choice("task")]
