"""Multimode, intensity and deviation (Freeman et al. 2013; Peth et al. 2016), and the map they are measured on."""
