"""Engine.IO packets, and how polling frames them."""
