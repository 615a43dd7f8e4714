"""The driver for raw images and directories on this machine."""
