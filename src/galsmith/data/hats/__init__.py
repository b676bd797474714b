"""HATS, the folders of Parquet files that surveys share: what reading and writing them have in common."""
