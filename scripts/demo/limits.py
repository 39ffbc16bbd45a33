"""What the web app listens on and lets in; apart, so that pages can say it without importing torch."""

HOST, PORT = "127.0.0.1", 7860
QUEUE = 64  # photos that may wait
MAX_PIXELS = 32_000_000  # a 36-megapixel PNG can be 35 kB small and still take 108 MB to open
MAX_BYTES = 15 * 2**20
TOTAL_BYTES = 256 * 2**20  # of all files on the disk at a time, answers' pictures included
GRACE_SECONDS = 2  # after its answer the browser may still load the photo that it shows; then the file goes
KEPT_SECONDS = 3600  # what nobody asked about, and the answers' pictures, go after this
READERS = 2  # photos that are opened at a time: an honest one beside a hostile one
READ_SECONDS = 3  # of processor time; one of 32 megapixels takes about one
READ_MEMORY = 2**30  # bytes; a 16-bit photo of 32 megapixels takes about 900 MB
WAIT_SECONDS = 60  # in which so much processor time should be had on a busy machine, too
RUNTIME = "auto (default: the fastest here whose answers are PyTorch's), eager, onnxruntime, openvino, openvino-bf16"
