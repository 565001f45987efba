"""Drawings and photographs: reading, drawing, pretrained features."""
