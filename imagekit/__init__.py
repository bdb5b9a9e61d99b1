"""imagekit: build, test and run GPU desktop images for a shared lab server."""
