"""What is recorded outside of the project only adds to the cases on drawn pairs: it is no test where it is absent."""

from recordings import IMAGERY

collect_ignore = [] if IMAGERY else ["test_more_recordings.py"]
