"""What the web app listens on and lets in; apart, so that pages can say it without importing torch."""

HOST, PORT = "127.0.0.1", 7860
QUEUE = 64  # photos that may wait
MAX_PIXELS = 32_000_000  # a 36-megapixel PNG can be 35 kB small and still take 108 MB to open
MAX_BYTES = 15 * 2**20
KEPT_SECONDS = 3600  # what was brought is deleted after this
