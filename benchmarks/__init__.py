"""What the library costs, against floors and peers; see README.md."""
