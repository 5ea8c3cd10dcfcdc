"""The semantic model as Open Semantic Interchange (now Apache Ossie) YAML, for other BI and AI tools, and back."""
