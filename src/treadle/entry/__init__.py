"""The doors: command line, HTTP, console. They translate and call; they decide nothing."""
