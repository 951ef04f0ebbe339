"""The only place where adapters meet stages: settings become objects here."""
