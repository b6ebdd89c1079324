"""Motion sources: readers of capture files, retargeting to our body, scripted care, and the library that ships."""
