"""Near-copies: photos of one thing in one moment, a burst or a crop of another. Cross-validation keeps them in one
fold.

Two photos count as near-copies where their 16×16 thumbnails, light and contrast taken out, correlate at ALIKE or
more. Exact copies are left out before (scripts.train.datasets).
"""

from __future__ import annotations

import numpy as np

SIDE, ALIKE = 16, 0.97  # of 5,600 photos: above it only true copies, at 0.95 also two sheets of paper on one table
CHUNK = 2048


def thumbnails(pixels: np.ndarray) -> np.ndarray:
    """float32 (n, 3·SIDE²), each of mean 0 and length 1; a photo of one colour is all zeros."""
    import torch

    found = []
    for start in range(0, len(pixels), CHUNK // 4):
        batch = torch.from_numpy(
            np.array(pixels[start : start + CHUNK // 4])
        )  # a copy: the photos lie in a read-only file
        small = torch.nn.functional.interpolate(batch, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        found.append(small.numpy().reshape(len(small), -1).astype(np.float32))
    flat = np.concatenate(found)
    flat -= flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def pairs(small: np.ndarray, alike: float = ALIKE) -> np.ndarray:
    """(pairs, 2): positions of near-copies, the smaller first."""
    found = []
    for start in range(0, len(small), CHUNK):
        cosine = small[start : start + CHUNK] @ small.T
        first, second = np.nonzero(cosine >= alike)
        keep = first + start < second
        found.append(np.stack([first[keep] + start, second[keep]], 1))
    return np.concatenate(found) if found else np.empty((0, 2), int)


def near_copies(pixels: np.ndarray, alike: float = ALIKE) -> np.ndarray:
    """int (n,): the group of each photo; a photo without near-copies is alone in its own."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(pixels)
    found = pairs(thumbnails(pixels), alike)
    graph = coo_matrix((np.ones(len(found)), (found[:, 0], found[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]
