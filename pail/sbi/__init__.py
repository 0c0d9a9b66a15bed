"""Source-based insertion: the anomaly takes its texture from another image."""
