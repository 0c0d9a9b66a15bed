"""Source-free insertion: the anomaly is made from the normal image itself or from noise."""
