"""Readers of ordinary files: folders and lists of images, npy and npz arrays, csv and parquet tables.

Every malformed file ends in an `InputError` that names the file, the rule and what was found.
"""

from holdfast.data.readers.arrays import read_arrays as read_arrays
from holdfast.data.readers.arrays import read_npy as read_npy
from holdfast.data.readers.arrays import read_npz as read_npz
from holdfast.data.readers.images import ImageFiles as ImageFiles
from holdfast.data.readers.images import colour_mode as colour_mode
from holdfast.data.readers.images import decode_image as decode_image
from holdfast.data.readers.listings import Listing as Listing
from holdfast.data.readers.listings import list_folder as list_folder
from holdfast.data.readers.listings import read_list as read_list
from holdfast.data.readers.tables import read_table as read_table
