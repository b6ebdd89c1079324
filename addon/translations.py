"""German texts; the English ones are in the code."""

import bpy

_GERMAN = {
    # panels
    ("*", "Room"): "Raum",
    ("*", "What Happens"): "Was geschieht",
    ("*", "People's Looks"): "Aussehen der Personen",
    ("*", "Generate"): "Erzeugen",
    ("*", "Results"): "Ergebnisse",
    ("*", "What to Import"): "Was importiert wird",
    ("*", "Cameras"): "Kameras",
    ("*", "Labelled Clips"): "Annotierte Videos",
    # settings
    ("*", "Built-in"): "Mitgeliefert",
    ("*", "Folder"): "Ordner",
    ("*", "Room folder"): "Ordner des Raums",
    ("*", "Prompt"): "Beschreibung",
    ("*", "Near"): "Bei",
    ("*", "Number"): "Anzahl",
    ("*", "Seed"): "Startwert",
    ("*", "Seconds"): "Sekunden",
    ("*", "Motion rate"): "Posen je Sekunde",
    ("*", "Light"): "Licht",
    ("*", "Any"): "Beliebig",
    ("*", "Day"): "Tag",
    ("*", "Evening"): "Abend",
    ("*", "Night"): "Nacht",
    ("*", "Role"): "Rolle",
    ("*", "Staff"): "Pflegekraft",
    ("*", "Patient"): "Patient",
    ("*", "Person"): "Person",
    ("*", "Clothes"): "Kleidung",
    ("*", "By role"): "Nach Rolle",
    ("*", "Scrubs"): "Kasack",
    ("*", "Gown"): "Patientenhemd",
    ("*", "Pyjamas"): "Schlafanzug",
    ("*", "Everyday"): "Alltag",
    ("*", "Age"): "Alter",
    ("*", "Skin tone"): "Hautton",
    ("*", "Import when ready"): "Importieren, wenn fertig",
    ("*", "People as"): "Personen als",
    ("*", "Armature"): "Armatur",
    ("*", "Mesh cache"): "Mesh-Cache",
    ("*", "Bring"): "Mitbringen",
    ("*", "Lights"): "Lichter",
    ("*", "Markers"): "Marker",
    ("*", "Render settings"): "Rendereinstellungen",
    ("*", "Match render size"): "Bildgröße übernehmen",
    ("*", "Data set"): "Datensatz",
    ("*", "All"): "Alle",
    ("*", "Random"): "Zufällig",
    ("*", "Frame rate"): "Bildrate",
    ("*", "Samples"): "Abtastungen",
    ("*", "Keep the scene's"): "Die der Szene behalten",
    ("*", "Use the motion's"): "Die der Bewegung übernehmen",
    ("*", "Import"): "Importieren",
    ("*", "Replace"): "Ersetzen",
    ("*", "Compare"): "Vergleichen",
    ("*", "Python of CareSynth"): "Python von CareSynth",
    ("*", "Found on PATH"): "Im PATH gefunden",
    ("*", "Beside the results"): "Neben den Ergebnissen",
    ("*", "Chosen by the prompt"): "Von der Beschreibung bestimmt",
    # what is said
    ("*", "Starting..."): "Es beginnt ...",
    ("*", "Cancelling..."): "Wird abgebrochen ...",
    ("*", "Cancelled"): "Abgebrochen",
    ("*", "Time left"): "Noch",
    ("*", "sampling"): "Bewegung entsteht",
    ("*", "staging"): "Szene entsteht",
    ("*", "writing"): "wird geschrieben",
    ("*", "taking a picture"): "ein Bild entsteht",
    ("*", "Nothing yet: generate an interaction"): "Noch nichts: eine Interaktion erzeugen",
    ("*", "Import a room to see its cameras"): "Einen Raum importieren, um seine Kameras zu sehen",
    ("*", "This room has no cameras"): "Dieser Raum hat keine Kameras",
    ("*", "Asking CareSynth..."): "CareSynth wird gefragt ...",
    ("*", "CareSynth is at work"): "CareSynth arbeitet gerade",
    ("*", "Import an interaction first"): "Zuerst eine Interaktion importieren",
    ("*", "The scene has {:.4g} frames a second, the motion {:.4g}."):
        "Die Szene hat {:.4g} Bilder je Sekunde, die Bewegung {:.4g}.",
    # operators
    ("Operator", "Check"): "Prüfen",
    ("Operator", "Generate Interaction"): "Interaktion erzeugen",
    ("Operator", "Cancel"): "Abbrechen",
    ("Operator", "Dismiss"): "Schließen",
    ("Operator", "Copy Details"): "Einzelheiten kopieren",
    ("Operator", "Preferences"): "Einstellungen",
    ("Operator", "Import Room"): "Raum importieren",
    ("Operator", "Import Result"): "Ergebnis importieren",
    ("Operator", "Import CareSynth"): "CareSynth importieren",
    ("Operator", "Import Interaction..."): "Interaktion importieren ...",
    ("Operator", "Import"): "Importieren",
    ("Operator", "Replace"): "Ersetzen",
    ("Operator", "Compare"): "Vergleichen",
    ("Operator", "Look Through"): "Durchsehen",
    ("Operator", "See Into the Room"): "In den Raum sehen",
    ("Operator", "New Seed"): "Neuer Startwert",
    ("Operator", "Add Person"): "Person hinzufügen",
    ("Operator", "Remove Person"): "Person entfernen",
    ("Operator", "Render Labelled Clips"): "Annotierte Videos rendern",
    ("Operator", "Open Gallery"): "Galerie öffnen",
    ("Operator", "Save Motion"): "Bewegung speichern",
    ("Operator", "Export CareSynth Motion"): "CareSynth-Bewegung exportieren",
    ("Operator", "Refresh Results"): "Ergebnisse neu lesen",
    ("Operator", "CareSynth Room"): "CareSynth-Raum",
    ("Operator", "CareSynth Interaction"): "CareSynth-Interaktion",
    # tooltips
    ("*", "Make people do this in this room. Blender stays usable meanwhile"):
        "Personen tun dies in diesem Raum. Blender bleibt währenddessen bedienbar",
    ("*", "End what CareSynth is doing; nothing half-finished stays"):
        "Beendet, was CareSynth gerade tut; nichts Halbfertiges bleibt",
    ("*", "Bring the chosen room into the scene, with its furniture, lights and cameras, without people"):
        "Holt den Raum mit Möbeln, Licht und Kameras in die Szene, ohne Personen",
    ("*", "Film the motion as it stands in the scene, your changes included, with labels measured anew"):
        "Filmt die Bewegung, wie sie in der Szene steht, samt Änderungen; die Annotationen werden neu gemessen",
    ("*", "Look through this camera, and make it the one that renders"):
        "Durch diese Kamera sehen; sie rendert dann auch",
    ("*", "The same seed makes the same interaction again"):
        "Derselbe Startwert ergibt dieselbe Interaktion",
    ("*", "How long the interaction is"): "Wie lang die Interaktion ist",
    ("*", "How many different performances to make"): "Wie viele verschiedene Aufführungen entstehen",
}  # fmt: skip

# Blender wrote "de_DE" until 4.x and writes "de" in some builds since; English in contexts of its own stays as it is.
TEXTS = {
    "de_DE": _GERMAN,
    "de": _GERMAN,
    "en_GB": {("*", "Labelled Clips"): "Labelled Clips"},
    "en_US": {("*", "Labelled Clips"): "Labeled Clips", ("Operator", "Render Labelled Clips"): "Render Labeled Clips"},
}


def register() -> None:
    bpy.app.translations.register(__package__, TEXTS)


def unregister() -> None:
    bpy.app.translations.unregister(__package__)
