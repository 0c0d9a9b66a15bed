"""The papers behind the techniques, as data. Registry, docstrings, README and the site are generated from or checked
against it."""

from __future__ import annotations

from dataclasses import dataclass

MANY_AUTHORS = 4  # more are shortened to "et al." in running text; BibTeX names all


@dataclass(frozen=True, slots=True)
class Reference:
    """A paper.

    Parameters
    ----------
    key : str
        The BibTeX key.
    nickname : str
        The name of the method in the field, such as "CutPaste".
    authors : tuple of str
        Each as "Family, Given".
    title : str
        The full title.
    venue : str
        The journal, or the proceedings; "arXiv" for a preprint.
    year : int
        The year of publication.
    techniques : tuple of str
        The techniques that it describes.
    short_venue : str, optional
        The common short form of `venue`.
    volume, number, pages : str, optional
        As printed; `pages` is a range with one hyphen, or an article number.
    doi, arxiv, link : str, optional
        The DOI and the arXiv number, without a prefix, and an address if there is no DOI.
    """

    key: str
    nickname: str
    authors: tuple[str, ...]
    title: str
    venue: str
    year: int
    techniques: tuple[str, ...]
    short_venue: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    doi: str = ""
    arxiv: str = ""
    link: str = ""

    @property
    def label(self) -> str:
        """The short form for tables: "Li et al., CutPaste, CVPR 2021"."""
        family = self.authors[0].partition(",")[0]
        return f"{family} et al., {self.nickname}, {self.short_venue or self.venue} {self.year}"

    @property
    def url(self) -> str:
        """The address of the paper: the preprint, which is free, else the DOI, else the proceedings."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else self.link

    @property
    def text(self) -> str:
        """The full form for lists of references."""
        shown = self.authors if len(self.authors) <= MANY_AUTHORS else self.authors[:1]
        names = ", ".join(_initials(author) for author in shown) + (" et al." if shown != self.authors else "")
        where = self.short_venue or self.venue
        if self.is_article:
            where += f" {self.volume}" + (f"({self.number})" if self.number else "")
        parts = [f'{names}, "{self.title}"', where if self.venue != "arXiv" else "", str(self.year)]
        if "-" in self.pages:
            parts.append(f"pp. {self.pages}")
        elif self.pages:
            parts.append(self.pages)
        parts.append(f"doi:{self.doi}" if self.doi else f"arXiv:{self.arxiv}" if self.arxiv else "")
        return ", ".join(part for part in parts if part) + "."

    @property
    def is_article(self) -> bool:
        """Whether the paper appeared in a journal, which has volumes."""
        return bool(self.volume)

    @property
    def bibtex(self) -> str:
        """The BibTeX entry in UTF-8. The title is in double braces, which preserve its capitals."""
        kind = "article" if self.is_article else "misc" if self.venue == "arXiv" else "inproceedings"
        fields = {"author": " and ".join(self.authors), "title": f"{{{self.title}}}"}
        if kind != "misc":
            fields["journal" if self.is_article else "booktitle"] = self.venue
        fields |= {"volume": self.volume, "number": self.number, "pages": self.pages.replace("-", "--")}
        fields |= {"year": str(self.year), "doi": self.doi}
        if self.arxiv:
            fields |= {"eprint": self.arxiv, "archivePrefix": "arXiv"}
        if not (self.doi or self.arxiv):
            fields["url"] = self.link
        given = {name: value for name, value in fields.items() if value}
        width = max(map(len, given))
        lines = [f"  {name:{width}} = {{{value}}}" for name, value in given.items()]
        return f"@{kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


def _initials(author: str) -> str:
    """ "Li, Chun-Liang" as "C.-L. Li"."""
    family, _, given = author.partition(", ")
    initials = ["-".join(f"{part[0]}." for part in name.split("-")) for name in given.replace(".", " ").split()]
    return " ".join([*initials, family])


CVPR = "Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)"
ECCV = "Proceedings of the European Conference on Computer Vision (ECCV)"
ICCV = "Proceedings of the IEEE/CVF International Conference on Computer Vision (ICCV)"

REFERENCES: tuple[Reference, ...] = (
    Reference(
        key="li2021cutpaste",
        nickname="CutPaste",
        authors=("Li, Chun-Liang", "Sohn, Kihyuk", "Yoon, Jinsung", "Pfister, Tomas"),
        title="CutPaste: Self-Supervised Learning for Anomaly Detection and Localization",
        venue=CVPR,
        short_venue="CVPR",
        year=2021,
        pages="9664-9674",
        doi="10.1109/CVPR46437.2021.00954",
        arxiv="2104.04015",
        techniques=("cutpaste", "cutpaste_scar"),
    ),
    Reference(
        key="tien2023rdpp",
        nickname="RD++",
        authors=(
            "Tien, Tran Dinh",
            "Nguyen, Anh Tuan",
            "Tran, Nguyen Hoang",
            "Huy, Ta Duc",
            "Duong, Soan T. M.",
            "Nguyen, Chanh D. Tr.",
            "Truong, Steven Q. H.",
        ),
        title="Revisiting Reverse Distillation for Anomaly Detection",
        venue=CVPR,
        short_venue="CVPR",
        year=2023,
        pages="24511-24520",
        link="https://openaccess.thecvf.com/content/CVPR2023/html/"
        "Tien_Revisiting_Reverse_Distillation_for_Anomaly_Detection_CVPR_2023_paper.html",
        techniques=("simplex_noise_anomlay",),
    ),
    Reference(
        key="cao2023cdo",
        nickname="CDO",
        authors=("Cao, Yunkang", "Xu, Xiaohao", "Liu, Zhaoge", "Shen, Weiming"),
        title="Collaborative Discrepancy Optimization for Reliable Image Anomaly Localization",
        venue="IEEE Transactions on Industrial Informatics",
        short_venue="IEEE TII",
        year=2023,
        volume="19",
        number="11",
        pages="10674-10683",
        doi="10.1109/TII.2023.3241579",
        arxiv="2302.08769",
        techniques=("random_perturbation",),
    ),
    Reference(
        key="song2021anoseg",
        nickname="AnoSeg",
        authors=("Song, Jouwon", "Kong, Kyeongbo", "Park, Ye-In", "Kim, Seong-Gyun", "Kang, Suk-Ju"),
        title="AnoSeg: Anomaly Segmentation Network Using Self-Supervised Learning",
        venue="arXiv",
        year=2021,
        arxiv="2110.03396",
        techniques=("hard_aug_cutpaste",),
    ),
    Reference(
        key="zavrtanik2021draem",
        nickname="DRAEM",
        authors=("Zavrtanik, Vitjan", "Kristan, Matej", "Skočaj, Danijel"),
        title="DRAEM - A Discriminatively Trained Reconstruction Embedding for Surface Anomaly Detection",
        venue=ICCV,
        short_venue="ICCV",
        year=2021,
        pages="8330-8339",
        arxiv="2108.07610",
        techniques=("perlin_noise_pattern",),
    ),
    Reference(
        key="shah2023tasad",
        nickname="TASAD",
        authors=("Shah, Rizwan Ali", "Urmonov, Odilbek", "Kim, Hyungwon"),
        title="Two-stage coarse-to-fine image anomaly segmentation and detection model",
        venue="Image and Vision Computing",
        year=2023,
        volume="139",
        pages="104817",
        doi="10.1016/j.imavis.2023.104817",
        techniques=("superpixel_anomaly",),
    ),
    Reference(
        key="yang2023memseg",
        nickname="MemSeg",
        authors=("Yang, Minghui", "Wu, Peng", "Feng, Hui"),
        title="MemSeg: A semi-supervised method for image surface defect detection using differences and commonalities",
        venue="Engineering Applications of Artificial Intelligence",
        short_venue="EAAI",
        year=2023,
        volume="119",
        pages="105835",
        doi="10.1016/j.engappai.2023.105835",
        arxiv="2205.00908",
        techniques=("perlin_with_roi_anomaly",),
    ),
    Reference(
        key="yao2023bgad",
        nickname="BGAD",
        authors=("Yao, Xincheng", "Li, Ruoqi", "Zhang, Jing", "Sun, Jun", "Zhang, Chongyang"),
        title="Explicit Boundary Guided Semi-Push-Pull Contrastive Learning for Supervised Anomaly Detection",
        venue=CVPR,
        short_venue="CVPR",
        year=2023,
        pages="24490-24499",
        doi="10.1109/CVPR52729.2023.02346",
        arxiv="2207.01463",
        techniques=("rand_augmented_cut_paste",),
    ),
    Reference(
        key="xia2023fractalad",
        nickname="FractalAD",
        authors=("Xia, Xuan", "Lv, Weijie", "He, Xing", "Li, Nan", "Liu, Chuanqi", "Ding, Ning"),
        title="FractalAD: A simple industrial anomaly detection method using fractal anomaly generation and "
        "backbone knowledge distillation",
        venue="arXiv",
        year=2023,
        arxiv="2301.12739",
        techniques=("fract_aug",),
    ),
    Reference(
        key="shah2025pai",
        nickname="PAI-Lib",
        authors=("Shah, Rizwan Ali", "Urmonov, Odilbek", "Kim, Hyungwon"),
        title="Self-Supervised Image Anomaly Detection Through Diverse Pseudo Anomaly Insertion",
        venue="IEEE Access",
        year=2025,
        volume="13",
        pages="115712-115734",
        doi="10.1109/ACCESS.2025.3580864",
        techniques=("affined_anomlay",),
    ),
    Reference(
        key="schlueter2022nsa",
        nickname="NSA",
        authors=("Schlüter, Hannah M.", "Tan, Jeremy", "Hou, Benjamin", "Kainz, Bernhard"),
        title="Natural Synthetic Anomalies for Self-Supervised Anomaly Detection and Localization",
        venue=ECCV,
        short_venue="ECCV",
        year=2022,
        pages="474-489",
        doi="10.1007/978-3-031-19821-2_27",
        arxiv="2109.15222",
        techniques=("nsa",),
    ),
    Reference(
        key="chen2024glass",
        nickname="GLASS",
        authors=("Chen, Qiyu", "Luo, Huiyuan", "Lv, Chengkan", "Zhang, Zhengtao"),
        title="A Unified Anomaly Synthesis Strategy with Gradient Ascent for Industrial Anomaly Detection and "
        "Localization",
        venue=ECCV,
        short_venue="ECCV",
        year=2024,
        pages="37-54",
        doi="10.1007/978-3-031-72855-6_3",
        arxiv="2407.09359",
        techniques=("glass",),
    ),
)

BY_TECHNIQUE: dict[str, Reference] = {name: paper for paper in REFERENCES for name in paper.techniques}
