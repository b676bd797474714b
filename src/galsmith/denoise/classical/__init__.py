"""What one would pick without training: linear filters, starlets, total variation, patches, blocks, Richardson-Lucy."""
