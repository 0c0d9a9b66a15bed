"""Image files and PIL images: listing, reading, writing, converting."""
