"""The techniques that Nearfield knows by name: a selection of PaNET with what people type.

PaNET, the Photon and Neutron Experimental Techniques ontology of ExPaNDS
(http://purl.org/pan-science/PaNET/PaNET.owl, CC-BY-4.0), gives identifiers, labels and most
abbreviations; each was compared with the ontology's source table. ``wider`` follows its parents
and equivalences, without the classes that only say a probe or a purpose. What a NeXus
application definition stands for is ours: PaNET does not say.
"""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """One technique."""

    number: int | None
    """Of its PaNET identifier; ``None`` where PaNET has no such technique."""
    label: str
    also: tuple[str, ...] = ()
    """Other names of the same."""
    wider: tuple[str, ...] = ()
    """Labels of techniques that it is a kind of."""
    definitions: tuple[str, ...] = ()
    """NeXus application definitions whose data is of this technique."""


def _t(number: int | None, label: str, also: str = "", wider: str = "", nexus: str = "") -> Term:
    """A term written on a line: names are separated by ``|``, definitions by blanks."""
    return Term(
        number,
        label,
        tuple(filter(None, also.split("|"))),
        tuple(filter(None, wider.split("|"))),
        tuple(f"NX{name}" for name in nexus.split()),
    )


_SCATTERING = (
    _t(200, "scattering technique", "scattering"),
    _t(1184, "x-ray scattering", "", "scattering technique"),
    _t(1242, "neutron scattering", "", "scattering technique"),
    _t(1020, "elastic scattering", "", "scattering technique"),
    _t(1021, "diffuse scattering", "", "scattering technique"),
    _t(1124, "small angle scattering", "SAS|small angle diffraction", "scattering technique",
       "sas canSAS"),
    _t(1188, "small angle x-ray scattering", "SAXS", "small angle scattering|x-ray scattering"),
    _t(1189, "small angle neutron scattering", "SANS",
       "small angle scattering|neutron scattering"),
    _t(1277, "time of flight small angle neutron scattering", "TOF-SANS",
       "small angle neutron scattering|time of flight technique", "sastof"),
    _t(1133, "ultra small angle scattering", "USAS", "small angle scattering"),
    _t(1241, "ultra small angle x-ray scattering", "USAXS",
       "ultra small angle scattering|small angle x-ray scattering"),
    _t(1278, "very small angle neutron scattering", "VSANS", "small angle neutron scattering"),
    _t(1240, "ultra small angle neutron scattering", "USANS",
       "very small angle neutron scattering|ultra small angle scattering"),
    _t(1274, "anomalous small angle x-ray scattering", "ASAXS", "small angle x-ray scattering"),
    _t(1099, "grazing incidence small angle scattering", "GISAS|grazing incidence SAS",
       "small angle scattering|grazing incidence diffraction"),
    _t(1162, "grazing incidence small angle x-ray scattering", "GISAXS",
       "grazing incidence small angle scattering|small angle x-ray scattering"),
    _t(1276, "grazing incidence small angle neutron scattering", "GISANS",
       "grazing incidence small angle scattering|small angle neutron scattering"),
    _t(1134, "wide angle scattering", "WAS", "scattering technique"),
    _t(1191, "wide angle x-ray scattering", "WAXS", "wide angle scattering|x-ray scattering"),
    _t(1316, "grazing incidence wide angle x-ray scattering", "GIWAXS",
       "wide angle x-ray scattering|grazing incidence diffraction"),
    _t(1117, "photon correlation spectroscopy", "PCS", "spectroscopy"),
    _t(1205, "x-ray photon correlation spectroscopy", "XPCS", "photon correlation spectroscopy",
       "xpcs"),
    _t(1181, "pair distribution function", "PDF", "diffraction"),
    _t(1190, "total scattering", "", "pair distribution function"),
    _t(1186, "resonant x-ray scattering", "RXS", "x-ray scattering"),
    _t(1260, "resonant elastic x-ray scattering", "REXS",
       "resonant x-ray scattering|elastic scattering"),
    _t(1187, "resonant soft x-ray scattering", "RSXS|RSoXS", "resonant x-ray scattering"),
    _t(1034, "inelastic scattering", "", "scattering technique", "sqom"),
    _t(1182, "inelastic x-ray scattering", "IXS", "inelastic scattering|x-ray scattering"),
    _t(1183, "resonant inelastic x-ray scattering", "RIXS", "inelastic x-ray scattering"),
    _t(1035, "quasielastic scattering", "quasielastic neutron scattering|QENS",
       "inelastic scattering"),
    _t(1245, "inelastic neutron spectroscopy",
       "inelastic neutron scattering|inelastic neutron scattering spectroscopy|INS",
       "inelastic scattering|neutron scattering|spectroscopy", "spe tas"),
    _t(1119, "spin echo scattering", "neutron spin echo|NSE", "neutron scattering"),
    _t(1120, "quasielastic neutron spin echo scattering", "quasielastic spin echo",
       "spin echo scattering|quasielastic scattering"),
    _t(1000, "time of flight technique", "time of flight|TOF"),
    _t(1001, "neutron time of flight technique", "neutron time of flight",
       "time of flight technique", "tofraw"),
    _t(1244, "time of flight spectrometry", "TOF spectrometry|TOF spectroscopy",
       "neutron time of flight technique|spectroscopy", "directtof indirecttof"),
)  # fmt: skip

_DIFFRACTION = (
    _t(1022, "diffraction", "diffractometry", "elastic scattering"),
    _t(1216, "x-ray diffraction", "XRD", "diffraction|x-ray scattering"),
    _t(1217, "neutron diffraction", "ND", "diffraction|neutron scattering"),
    _t(1030, "powder diffraction", "", "diffraction", "monopd"),
    _t(1101, "x-ray powder diffraction", "XPD|PXRD|XRPD|powder x-ray diffraction",
       "powder diffraction|x-ray diffraction", "xrd_pan"),
    _t(1100, "neutron powder diffraction", "NPD", "powder diffraction|neutron diffraction",
       "tofnpd"),
    _t(1029, "single crystal diffraction", "", "diffraction"),
    _t(1102, "x-ray single crystal diffraction", "SXRD|single crystal x-ray diffraction",
       "single crystal diffraction|x-ray diffraction", "xbase xeuler xkappa xrot"),
    _t(1236, "neutron single crystal diffraction", "single crystal neutron diffraction",
       "single crystal diffraction|neutron diffraction", "tofsingle lauetof"),
    _t(1128, "surface diffraction", "", "diffraction"),
    _t(1172, "surface x-ray diffraction", "", "surface diffraction|x-ray diffraction"),
    _t(1098, "grazing incidence diffraction", "GID", "diffraction"),
    _t(1161, "grazing incidence x-ray diffraction", "GIXD|GIXRD",
       "grazing incidence diffraction|x-ray diffraction"),
    _t(1159, "energy dispersive diffraction", "EDD", "diffraction"),
    _t(1160, "energy dispersive x-ray diffraction", "EDXRD",
       "energy dispersive diffraction|x-ray diffraction"),
    _t(1082, "crystallography"),
    _t(1164, "macromolecular crystallography", "MX|protein crystallography",
       "crystallography|single crystal diffraction", "mx"),
    _t(1168, "serial femtosecond crystallography", "SFX",
       "crystallography|x-ray single crystal diffraction"),
    _t(1169, "serial synchrotron crystallography", "SSX",
       "crystallography|x-ray single crystal diffraction"),
    _t(1121, "reflectometry", "reflectivity", "", "refscan"),
    _t(1149, "x-ray reflectivity", "x-ray reflectometry|XRR", "reflectometry"),
    _t(1239, "neutron reflectometry", "neutron reflectivity|NR", "reflectometry", "reftof"),
    _t(1243, "polarized neutron reflectometry", "polarized neutron reflectivity|PNR",
       "neutron reflectometry"),
)  # fmt: skip

_SPECTROSCOPY = (
    _t(1125, "spectroscopy", "spectrometry"),
    _t(1156, "x-ray spectroscopy", "", "spectroscopy"),
    _t(1135, "absorption spectroscopy", "", "spectroscopy"),
    _t(1196, "x-ray absorption spectroscopy", "XAS", "absorption spectroscopy|x-ray spectroscopy",
       "xas xasproc"),
    _t(1197, "x-ray absorption fine structure", "XAFS", "x-ray absorption spectroscopy"),
    _t(1198, "extended x-ray absorption fine structure", "EXAFS",
       "x-ray absorption fine structure"),
    _t(1199, "x-ray absorption near edge structure", "XANES|NEXAFS",
       "x-ray absorption fine structure"),
    _t(1137, "x-ray magnetic circular dichroism", "XMCD", "dichroism"),
    _t(1259, "x-ray magnetic linear dichroism", "XMLD", "dichroism"),
    _t(1090, "dichroism"),
    _t(1092, "emission spectroscopy", "", "spectroscopy"),
    _t(1200, "x-ray emission spectroscopy", "XES", "x-ray spectroscopy|inelastic x-ray scattering"),
    _t(1177, "x-ray fluorescence", "XRF", "", "fluo"),
    _t(1095, "x-ray fluorescence spectroscopy", "", "x-ray fluorescence|x-ray spectroscopy"),
    _t(1254, "microfocus x-ray fluorescence", "micro x-ray fluorescence", "x-ray fluorescence"),
    _t(1288, "scanning x-ray fluorescence", "", "x-ray fluorescence"),
    _t(1193, "energy dispersive x-ray spectroscopy", "EDX", "x-ray spectroscopy"),
    _t(1202, "photoelectron spectroscopy", "PES", "spectroscopy", "mpes"),
    _t(1093, "photoemission spectroscopy", "photoemission", "emission spectroscopy"),
    _t(1204, "x-ray photoelectron spectroscopy", "XPS",
       "photoelectron spectroscopy|x-ray spectroscopy", "xps"),
    _t(1103, "hard x-ray photoelectron spectroscopy", "HAXPES", "x-ray photoelectron spectroscopy"),
    _t(1089, "angle resolved photoemission spectroscopy", "ARPES", "photoemission spectroscopy",
       "arpes mpes_arpes"),
    _t(1109, "infrared spectroscopy", "IR spectroscopy", "spectroscopy"),
    _t(1320, "fourier transform infrared spectroscopy", "FTIR", "infrared spectroscopy"),
    _t(1195, "raman spectroscopy", "raman", "", "raman"),
    _t(1270, "nuclear resonant scattering", "NRS", "scattering technique"),
    _t(1255, "ellipsometry", "", "", "ellipsometry"),
    _t(1114, "muon spectroscopy", "", "spectroscopy"),
    _t(1051, "muon spin resonance", "MuSR"),
)  # fmt: skip

_IMAGING = (
    _t(1106, "imaging"),
    _t(1285, "x-ray imaging", "", "imaging"),
    _t(1116, "phase contrast imaging", "", "imaging"),
    _t(1105, "holography", "", "imaging"),
    _t(1266, "x-ray holography", "", "holography|x-ray imaging"),
    _t(1174, "coherent diffraction imaging", "CDI|coherent diffractive imaging", "imaging"),
    _t(1212, "ptychography", "ptycho", "coherent diffraction imaging", "ptycho cxi_ptycho"),
    _t(1213, "ptychographic nanotomography", "ptychographic tomography",
       "ptychography|nanotomography"),
    _t(1248, "neutron transmission radiography", "neutron radiography", "imaging"),
    _t(1129, "tomography", "tomo", "", "tomo tomophase tomoproc"),
    _t(1207, "x-ray tomography", "CT|CT scan|x-ray computed tomography", "tomography"),
    _t(1206, "microtomography", "micro-CT", "tomography"),
    _t(1208, "x-ray microtomography", "", "microtomography|x-ray tomography"),
    _t(1154, "nanotomography", "", "tomography"),
    _t(1151, "absorption tomography", "", "tomography"),
    _t(1096, "fluorescence tomography", "", "tomography"),
    _t(1069, "microscopy", "", "imaging"),
    _t(1180, "x-ray microscopy", "", "microscopy"),
    _t(1148, "scanning probe microscopy", "scanning microscopy", "microscopy"),
    _t(1219, "scanning transmission x-ray microscopy", "STXM", "x-ray microscopy", "stxm"),
    _t(1146, "photoemission electron microscopy", "PEEM|photoelectron emission microscopy",
       "microscopy"),
    _t(1179, "optical microscopy", "", "microscopy"),
    _t(1318, "atomic force microscopy", "AFM", "scanning probe microscopy"),
)  # fmt: skip

# No experimental techniques in PaNET's sense, and asked for all the same. Files say them so.
_OTHERS = (
    _t(None, "x-ray free electron laser", "XFEL|FEL|free electron laser"),
    _t(None, "laser wakefield acceleration", "LWFA|laser plasma acceleration"),
    _t(None, "particle in cell simulation", "PIC|particle in cell|ED-PIC"),
)

TERMS: tuple[Term, ...] = (*_SCATTERING, *_DIFFRACTION, *_SPECTROSCOPY, *_IMAGING, *_OTHERS)

# Definitions that say no probe, and what they nearly always hold: who asks for that finds them.
# NXsas allows neutrons, but those who write them have NXsastof and NXcanSAS.
PROBABLY = {"NXsas": "small angle x-ray scattering"}
# What a definition or wider name is once the file says the probe (NXsource/probe).
BY_PROBE = {
    ("small angle scattering", "x-ray"): "small angle x-ray scattering",
    ("small angle scattering", "neutron"): "small angle neutron scattering",
    ("reflectometry", "x-ray"): "x-ray reflectivity",
    ("reflectometry", "neutron"): "neutron reflectometry",
    ("tomography", "x-ray"): "x-ray tomography",
    ("powder diffraction", "x-ray"): "x-ray powder diffraction",
    ("powder diffraction", "neutron"): "neutron powder diffraction",
    ("diffraction", "x-ray"): "x-ray diffraction",
    ("diffraction", "neutron"): "neutron diffraction",
    ("wide angle scattering", "x-ray"): "wide angle x-ray scattering",
    ("inelastic scattering", "x-ray"): "inelastic x-ray scattering",
    ("inelastic scattering", "neutron"): "inelastic neutron spectroscopy",
}
