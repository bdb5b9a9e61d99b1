"""Profile and catalogue become a plan: every decision made, nothing optional left."""
