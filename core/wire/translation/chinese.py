"""Characters by which one kind of Chinese is told from the other, and both from Japanese. Pure."""

from typing import Final

# Side by side: the same character as it is written in Simplified and in Traditional Chinese.
_SIMPLIFIED: Final = (
    "这们个说时对为过还没让给见长东车门问间马鸟鱼语认识话请谢谁读写书买卖头发电脑网应该样现实开关难"
    "题经济动务员产业专华众优传伤伦伟体储儿兰兴农冲决况净减几击划别办务动劳势区医协卫厅历压县参双变叶号听启"
    "响员园围图圆场坏块坚坛垒声处备复够夺奋妇妈孙学宁宝审宽宾导寻将尔尘尝层属岁岛师带帮归录忆怀态总恋恶惊惯"
    "愿战户扩扫扬扰抢护报担择损换据摄数断无旧显术机杀权条来极构枪标树桥检楼欢残毕气汇汉汤沟泪洁测济浅灭灯灵炼"
    "点热爱牵犹独环现电画痒盖盘确码础离种积称稳穷竞笔简粮紧红约级纪纯纲纳纸线练组细终绍结统继绩续维绿缓编缘缩"
    "罗罚职联肃肤胜脸脚脱艺节苏药获营虑虽补装规视览觉触计订讨训议记讲许论设访证评诉词试诗诚详误调谈谓财责败"
    "货质费资赛赵赶趋跃践转轮软轻载较辆输达迁运进远违连迟适选遗邮郑释针钟钢钱铁银销锁错键镇阅队阳阴阶际陆陈险随"
    "隐韩顶项顺须顾顿预领频颜额风飞饭饮馆驱验骑齐龙"
)
_TRADITIONAL: Final = (
    "這們個說時對為過還沒讓給見長東車門問間馬鳥魚語認識話請謝誰讀寫書買賣頭發電腦網應該樣現實開關難"
    "題經濟動務員產業專華眾優傳傷倫偉體儲兒蘭興農衝決況淨減幾擊劃別辦務動勞勢區醫協衛廳歷壓縣參雙變葉號聽啟"
    "響員園圍圖圓場壞塊堅壇壘聲處備復夠奪奮婦媽孫學寧寶審寬賓導尋將爾塵嘗層屬歲島師帶幫歸錄憶懷態總戀惡驚慣"
    "願戰戶擴掃揚擾搶護報擔擇損換據攝數斷無舊顯術機殺權條來極構槍標樹橋檢樓歡殘畢氣匯漢湯溝淚潔測濟淺滅燈靈煉"
    "點熱愛牽猶獨環現電畫癢蓋盤確碼礎離種積稱穩窮競筆簡糧緊紅約級紀純綱納紙線練組細終紹結統繼績續維綠緩編緣縮"
    "羅罰職聯肅膚勝臉腳脫藝節蘇藥獲營慮雖補裝規視覽覺觸計訂討訓議記講許論設訪證評訴詞試詩誠詳誤調談謂財責敗"
    "貨質費資賽趙趕趨躍踐轉輪軟輕載較輛輸達遷運進遠違連遲適選遺郵鄭釋針鐘鋼錢鐵銀銷鎖錯鍵鎮閱隊陽陰階際陸陳險隨"
    "隱韓頂項順須顧頓預領頻顏額風飛飯飲館驅驗騎齊龍"
)
SIMPLIFIED: Final = frozenset(_SIMPLIFIED) - frozenset(_TRADITIONAL)
TRADITIONAL: Final = frozenset(_TRADITIONAL) - frozenset(_SIMPLIFIED)
# What no Japanese is written with: Chinese pronouns and particles, and simplified characters that Japan has not.
NOT_JAPANESE: Final = frozenset(
    "你您她们們这這吗嗎吧呢啊么哪很沒给还让说对为过见长东车门问间马鸟鱼语认识话请谢谁读书买头发电脑网应该样"
    "现实开关题经业华伤传优专务习欢气汉热爱红约级纪纸线练组细结继绩维绿编职联脸药获营计讨训议记讲许论设访证评"
    "试诗误调谈责货质费资转轮轻较输达运进远违连迟适选邮钟钱铁银错队阳阴际陆险顶项顺须顾预领颜额风飞饭饮馆验龙"
)


def is_simplified(text: str) -> bool:
    return _count(text, SIMPLIFIED) > 2 * _count(text, TRADITIONAL)


def is_traditional(text: str) -> bool:
    return _count(text, TRADITIONAL) > 2 * _count(text, SIMPLIFIED)


def is_chinese(text: str) -> bool:
    """Of a text without kana: whether it is surely no Japanese."""
    return any(one in NOT_JAPANESE for one in text)


def _count(text: str, characters: frozenset[str]) -> int:
    return sum(one in characters for one in text)
